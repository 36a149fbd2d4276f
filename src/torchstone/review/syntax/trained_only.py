"""Whether a program only trains a module: nobody evaluates it, and nobody keeps it for a later evaluation."""

from __future__ import annotations

import ast
import builtins
import re
from typing import TYPE_CHECKING

from torchstone.review.syntax.effects import events
from torchstone.review.syntax.loaders import is_held_out_name
from torchstone.review.syntax.training import goes_back

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.scopes import Scope
    from torchstone.review.syntax.values import Class, Value

_DEEPEST = 3
_EVALUATES = re.compile(r"eval|valid|test|predict|infer|accuracy|score", re.IGNORECASE)


def is_only_trained(cls: Class) -> bool:
    """Whether each use of a module's objects is one of training, all uses being known.

    A file without a training loop, and a model that is saved, are for others: then it is not.
    """
    key = ("only trained", cls)
    if key not in cls.file.cache:
        cls.file.cache[key] = _is_only_trained(cls)
    result: bool = cls.file.cache[key]
    return result


def _is_only_trained(cls: Class) -> bool:
    files = [cls.file, *cls.file.project.importers(cls.file)]
    if not all(file.source.complete for file in files):
        return False
    names = _holders(cls.name, files)
    if any(_is_kept(file, names) or _calls_unknown(file) or _is_switched(file, names) for file in files):
        return False
    uses = [
        (frame, node)
        for file in files
        for frame, node, called in file.module_calls
        if _is_one_of(called, names) and not _is_of_module(frame)
    ]
    return bool(uses) and all(_trains(frame, node, 0) for frame, node in uses)


def _holders(name: str, files: list[File]) -> set[str]:
    """The names of a class and of those that have it in them."""
    found = {name}
    while True:
        more = {
            each.name
            for file in files
            for each in file.classes
            if each.name not in found
            and any(isinstance(part, ast.Name) and part.id in found for part in ast.walk(each.node))
        }
        if not more:
            return found
        found |= more


def _is_one_of(value: Value | None, names: set[str]) -> bool:
    """Whether an object is one of these modules, or may be."""
    if value is None:
        return True
    if value.cls is not None:
        return value.cls.name in names
    return value.name is None or value.name.startswith("torch.nn.Sequential")


def _is_of_module(frame: Frame) -> bool:
    """Whether a call is a part of a module's own forward."""
    scope: Scope | None = frame.scope
    while scope is not None:
        if scope.method_of is not None:
            return frame.file.class_of(scope.method_of).is_module
        scope = scope.parent
    return False


def _is_kept(file: File, names: set[str]) -> bool:
    """Whether a program saves the module, or takes its state."""
    for call in file.index.calls_by_name.get("state_dict", ()):
        if isinstance(call.func, ast.Attribute):
            value = file.value(call.func.value)
            if value is None or (value.kind == "module" and _is_one_of(value, names)):
                return True
    for name in ("save", "script", "trace", "export"):
        for call in file.index.calls_by_name.get(name, ()):
            given = [file.value(each) for each in call.args]
            if any(each is not None and each.kind == "module" and _is_one_of(each, names) for each in given):
                return True
    return False


def _calls_unknown(file: File) -> bool:
    """Whether something is called of which only the name is known: perhaps a model that was given."""
    for call in file.index.calls():
        if isinstance(call.func, ast.Name) and not hasattr(builtins, call.func.id):
            frame = file.frame_of(call)
            if frame.value(call.func) is None and frame.name(call.func) is None:
                return True
    return False


def _is_switched(file: File, names: set[str]) -> bool:
    """Whether a program puts the module into evaluation mode, or may."""
    kinds = ("eval", "mode")
    return any(
        each.event.kind in kinds and _is_one_of(each.event.target, names)
        for root in events(file)
        for each in root
    )


def _trains(frame: Frame, node: ast.Call, depth: int) -> bool:
    """Whether a gradient goes back from what a call gives, there or at those who call its function."""
    file, scope = frame.file, frame.scope
    given = (*node.args, *(keyword.value for keyword in node.keywords))
    if depth > _DEEPEST or _is_under_no_grad(file, node) or any(_is_held_out(each) for each in given):
        return False
    if scope.is_function and _EVALUATES.search(scope.name):
        return False
    loop = next(
        (above for above in file.index.ancestors(node) if isinstance(above, ast.For | ast.While)),
        None,
    )
    if not scope.is_function and (loop is None or not _has_backward(loop)):
        return False
    statement = file.statement(node)
    names = _names_of(statement)
    if _has_backward(statement) or any(goes_back(file, scope, name) for name in names):
        return loop is None or _has_backward(loop)
    if not (isinstance(statement, ast.Return) or any(_is_returned(scope, name) for name in names)):
        return False
    callers = file.callers(scope)
    return bool(callers) and all(_trains(above, call, depth + 1) for above, call, _ in callers)


def _is_under_no_grad(file: File, node: ast.AST) -> bool:
    """Whether a node stands in a `with torch.no_grad():`, or a function of that kind."""
    for above in file.index.ancestors(node):
        held: list[ast.expr] = []
        if isinstance(above, ast.With):
            held = [item.context_expr for item in above.items]
        elif isinstance(above, ast.FunctionDef):
            held = above.decorator_list
        if any(
            word in ast.unparse(each) for each in held for word in ("no_grad", "inference_mode", "set_grad")
        ):
            return True
    return False


def _has_backward(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr == "backward" for part in ast.walk(node))


def _is_held_out(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and is_held_out_name(part.id) for part in ast.walk(node))


def _names_of(statement: ast.stmt) -> set[str]:
    """What a statement gives names to."""
    if isinstance(statement, ast.Assign):
        return {name for target in statement.targets for name in _names(target)}
    return _names(statement.target) if isinstance(statement, ast.AugAssign | ast.AnnAssign) else set()


def _is_returned(scope: Scope, name: str) -> bool:
    """Whether a name, or what is computed from it, is returned."""
    tainted, before = {name}, 0
    while len(tainted) != before:
        before = len(tainted)
        for node in ast.walk(scope.node):
            if isinstance(node, ast.Assign) and _names(node.value) & tainted:
                tainted |= {part for target in node.targets for part in _names(target)}
    returned = (node for node in ast.walk(scope.node) if isinstance(node, ast.Return) and node.value)
    return any(_names(node.value) & tainted for node in returned)


def _names(node: ast.AST | None) -> set[str]:
    return set() if node is None else {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
