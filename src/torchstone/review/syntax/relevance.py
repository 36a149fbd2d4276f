"""Which calls are worth following: most of them make layers or compute, and do nothing to a training loop."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.review.syntax.scopes import Scope
from torchstone.review.syntax.values import Class, Value

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame

_TRAINING_CALLS = {
    "backward",
    "step",
    "zero_grad",
    "train",
    "eval",
    "manual_backward",
    "no_grad",
    "inference_mode",
    "set_grad_enabled",
    "enable_grad",
    "clip_grad_norm_",
    "clip_grad_value_",
}
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
CLEARING = re.compile(r"(zero|reset|clear|clean).*grad|grad.*(zero|reset|clear)")
"""Names of functions that clear gradients, such as `reset_grad`."""

_GIVEN = {"module", "optimizer", "loader", "scaler"}


def worth_following(frame: Frame, node: ast.Call, called: Value) -> bool:
    """Whether a call may do anything that training is about: most calls make layers or compute."""
    entered = _entered(called)
    if entered is None or touches(*entered):
        return True
    if called.kind == "class":
        return False
    file, scope = entered
    loops = any(file.index.scope_of(loop) is scope for kind in _LOOPS for loop in file.index.nodes[kind])
    if not loops:
        return False
    if called.owner is not None and called.owner.kind == "instance":
        return True
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    values = [frame.value(argument) for argument in given if not isinstance(argument, ast.Starred)]
    return any(value is not None and value.kind in _GIVEN for value in values)


def _entered(called: Value) -> tuple[File, Scope] | None:
    """The function that calling a value runs."""
    if called.kind == "function" and called.function is not None and called.frame is not None:
        return called.frame.file, called.function
    name = {"class": "__init__", "module": "forward"}.get(called.kind, "__call__")
    found = called.cls.method(name) if called.cls is not None else None
    return (found[0].file, found[1]) if found is not None else None


def touches(file: File, scope: Scope) -> bool:
    """Whether a function, or one that it calls, does something that belongs to a training loop."""
    key = ("touches", scope)
    if key not in file.cache:
        file.cache[key] = False  # until it is known: recursion adds nothing
        file.cache[key] = scope in _touching_scopes(file) or any(
            _leads_to_training(file, call) for call in _calls_of(file).get(scope, ())
        )
    result: bool = file.cache[key]
    return result


def _leads_to_training(file: File, call: ast.Call) -> bool:
    if _is_of_parameter(file, call):
        return False  # to know what it is all callers would have to be looked at
    called = file.value(call.func)
    if called is None or called.kind not in ("function", "class", "module", "instance"):
        return False
    if called.kind == "module" and called.cls is not None:
        return touches_training(called.cls)
    entered = _entered(called)
    return entered is not None and touches(*entered)


def _is_of_parameter(file: File, call: ast.Call) -> bool:
    """Whether a call is of a parameter, or of a method of one that is not `self`."""
    base: ast.expr = call.func
    while isinstance(base, ast.Attribute):
        base = base.value
    if not isinstance(base, ast.Name):
        return False
    scope = file.index.scope_of(base)
    bindings = scope.bindings.get(base.id, ())
    return base.id != scope.self_name and any(binding.kind == "parameter" for binding in bindings)


def _calls_of(file: File) -> dict[Scope, list[ast.Call]]:
    """The calls in each function, those of the functions inside it included."""
    if "calls" not in file.cache:
        found: dict[Scope, list[ast.Call]] = {}
        for call in file.index.calls():
            for scope in _functions_around(file, call):
                found.setdefault(scope, []).append(call)
        file.cache["calls"] = found
    result: dict[Scope, list[ast.Call]] = file.cache["calls"]
    return result


def _touching_scopes(file: File) -> set[Scope]:
    """The functions and classes that themselves do something that belongs to a training loop."""
    if "touching" not in file.cache:
        found: set[Scope] = set()
        calls = file.index.calls_by_name
        nodes: list[ast.AST] = [
            node for name in calls if name in _TRAINING_CALLS or CLEARING.search(name) for node in calls[name]
        ]
        nodes += [
            node
            for node in file.index.nodes[ast.Attribute]
            if isinstance(node, ast.Attribute)
            and node.attr in ("grad", "data", "training", "no_grad", "inference_mode", "enable_grad")
            and (isinstance(node.ctx, ast.Store) or node.attr in ("grad", "no_grad", "inference_mode"))
        ]
        for node in nodes:
            found.update(_scopes_around(file, node))
            decorated = _decorated(file, node)
            if decorated is not None:
                found.add(decorated)
        file.cache["touching"] = found
    result: set[Scope] = file.cache["touching"]
    return result


def _decorated(file: File, node: ast.AST) -> Scope | None:
    """The function that `node` decorates: `@torch.no_grad()` stands outside of its scope."""
    parent = file.index.parents.get(node)
    if isinstance(parent, ast.Call):
        node, parent = parent, file.index.parents.get(parent)
    if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef) and node in parent.decorator_list:
        return file.index.scopes[parent]
    return None


def _functions_around(file: File, node: ast.AST) -> Iterator[Scope]:
    return (scope for scope in _scopes_around(file, node) if scope.is_function)


def _scopes_around(file: File, node: ast.AST) -> Iterator[Scope]:
    scope: Scope | None = file.index.scope_of(node)
    while scope is not None:
        yield scope
        scope = scope.parent


def touches_training(cls: Class) -> bool:
    """Whether a method of the class does something that belongs to a training loop."""
    return any(part.scope in _touching_scopes(part.file) for part in cls.lineage())
