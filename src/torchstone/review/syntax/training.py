"""Training loops: which events a loop holds, and questions that several rules ask about them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.scopes import Scope
from torchstone.review.syntax.values import Key, Value

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File

_SUSPECT = ("zero", "grad", "reset", "step", "update", "optim", "backward")


def inside(loop: Loop, seen: list[Seen]) -> list[Seen]:
    """The events of a loop, followed calls and inner loops included."""
    return [each for each in seen if loop in each.loops]


def has(seen: list[Seen], kind: str) -> bool:
    """Whether there is an event of a kind."""
    return any(each.event.kind == kind for each in seen)


def made_inside(value: Value, loop: Loop) -> bool:
    """Whether an object is made anew in each round of a loop."""
    return any(_stands_in(loop, node) for key in value.keys for node in _nodes(key))


def _nodes(key: Key) -> list[ast.AST]:
    """The call that made an object and the calls that led there."""
    if len(key) == 3 and key[0] == "new" and isinstance(key[2], tuple):
        return [node for node in (key[1], *key[2]) if isinstance(node, ast.AST)]
    return []


def _stands_in(loop: Loop, node: ast.AST) -> bool:
    index = loop.frame.file.index
    return any(above is loop.node for above in index.ancestors(node))


def runs_once(loop: Loop) -> bool:
    """Whether a loop's body ends in a `break` or `return` that nothing guards."""
    last = loop.node.body[-1]
    if isinstance(last, ast.Break | ast.Return | ast.Raise):
        return True
    if isinstance(loop.node, ast.For) and isinstance(loop.node.iter, ast.Call):
        call = loop.node.iter
        if isinstance(call.func, ast.Name) and call.func.id == "range" and len(call.args) == 1:
            return isinstance(call.args[0], ast.Constant) and call.args[0].value in (0, 1)
    return False


def may_touch(seen: Seen, optimizer: Value) -> bool:
    """Whether a call that cannot be followed may clear gradients of, or step, an optimizer."""
    if any(_holds(value, optimizer) for value in seen.event.values):
        return True
    node = seen.event.node
    name = ast.unparse(node.func).lower() if isinstance(node, ast.Call) else ""
    return any(word in name for word in _SUSPECT)


def _holds(value: Value, optimizer: Value) -> bool:
    """Whether a value is the optimizer, or an object that may hold it."""
    if value.may_be(optimizer) or value.kind in ("instance", "framework", "function", "scaler"):
        return True
    return value.kind == "sequence" and any(
        part is None or _holds(part, optimizer) for part in value.items or ()
    )


def optimized_models(optimizer: Value) -> list[Value]:
    """The models whose parameters an optimizer was given by `model.parameters()`; none when unclear."""
    node = _parameters(optimizer)
    if node is None or optimizer.frame is None or not isinstance(node.func, ast.Attribute):
        return []
    model = optimizer.frame.value(node.func.value)
    return [model] if model is not None and model.kind == "module" else []


def _parameters(optimizer: Value) -> ast.Call | None:
    """The call `model.parameters()` that is an optimizer's first argument."""
    if optimizer.call is None or not optimizer.call.args:
        return None
    first = optimizer.call.args[0]
    if (
        isinstance(first, ast.Call)
        and isinstance(first.func, ast.Attribute)
        and first.func.attr == "parameters"
    ):
        return first
    return None


def clears(seen: Seen, optimizer: Value) -> bool:
    """Whether a clearing surely is of all that an optimizer holds."""
    target = seen.event.target
    if target is None:
        return False
    if target.kind == "optimizer":
        return target.keys == optimizer.keys
    return any(target.keys == model.keys for model in optimized_models(optimizer))


def receiver(node: ast.expr | ast.stmt) -> str:
    """The source of what a method is called on."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return ast.unparse(node.func.value)
    return ""


def stepped(seen: Seen) -> str:
    """The name of the optimizer in the code of a step, also behind a scaler."""
    node = seen.event.node
    if isinstance(node, ast.Call) and node.args and seen.event.target is not None:
        scaled = seen.event.frame.value(node.func.value) if isinstance(node.func, ast.Attribute) else None
        if scaled is not None and scaled.kind == "scaler":
            return ast.unparse(node.args[0])
    return receiver(node)


def loss_of(seen: Seen) -> ast.expr | None:
    """The loss that a backward goes back from, without a scaler around it."""
    node = seen.event.node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    value = node.func.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "scale":
        return value.args[0] if value.args else None
    base = seen.event.frame.value(value)
    framework = base is not None and base.kind in ("framework", "library", "module")
    if framework or node.func.attr == "manual_backward":
        return node.args[0] if node.args else None
    return value


def called(seen: Seen) -> str:
    """The source of what a call calls, such as `self.model`."""
    node = seen.event.node
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def from_outside(scope: Scope, name: str, loop: ast.AST) -> bool:
    """Whether a sum or list lives longer than a round of the loop."""
    bindings = scope.bindings.get(name, [])
    start, end = loop.lineno, loop.end_lineno  # type: ignore[attr-defined]
    made = [b for b in bindings if b.kind != "augment"]
    return bool(made) and not any(start <= b.line <= end for b in made)


def goes_back(file: File, scope: Scope, name: str) -> bool:
    """Whether a name, or anything computed from it in its scope, may reach a backward pass."""
    tainted = {name}
    statements = [node for node in ast.walk(scope.node) if isinstance(node, ast.Assign | ast.AugAssign)]
    while True:
        before = len(tainted)
        for node in statements:
            used = {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
            if used & tainted:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                tainted |= {p.id for t in targets for p in ast.walk(t) if isinstance(p, ast.Name)}
        if len(tainted) == before:
            break
    calls = [*file.index.calls_by_name.get("backward", ()), *file.index.calls_by_name.get("grad", ())]
    for call in (call for call in calls if scope.node in file.index.ancestors(call)):
        if {part.id for part in ast.walk(call) if isinstance(part, ast.Name)} & tainted:
            return True
    return False


def is_reference(file: File, node: ast.AST) -> bool:
    """Whether a function is there to compare others with: `reference_fn=lambda ...`, `def naive_softmax`."""
    names = [
        getattr(above, "arg", None) or getattr(above, "name", None)
        for above in file.index.ancestors(node)
        if isinstance(above, ast.keyword | ast.FunctionDef)
    ]
    return any(word in (name or "") for name in names for word in ("reference", "naive", "expected"))


def is_shown_once(file: File, call: ast.AST) -> bool:
    """Whether a line of a script that trains runs once, for what no backward pass uses, as lessons do."""
    scope = file.index.scope_of(call)
    in_loop = any(isinstance(above, ast.For | ast.While) for above in file.index.ancestors(call))
    if scope is not file.index.module or in_loop or not file.index.calls_by_name.get("backward"):
        return False
    statement = file.statement(call)
    if isinstance(statement, ast.Expr):
        return not any(isinstance(p, ast.Attribute) and p.attr == "backward" for p in ast.walk(statement))
    if not isinstance(statement, ast.Assign):
        return False
    names = [part.id for t in statement.targets for part in ast.walk(t) if isinstance(part, ast.Name)]
    return bool(names) and all(
        _is_printed(file, scope, statement, name) or not goes_back(file, scope, name) for name in names
    )


def _is_printed(file: File, scope: Scope, statement: ast.stmt, name: str) -> bool:
    """Whether what a statement gives a name is printed at most, before the name is given something else."""
    after = statement.end_lineno or statement.lineno
    ends = min((b.line for b in scope.bindings.get(name, []) if b.line > after), default=None)
    for use in file.index.nodes[ast.Name]:
        if not isinstance(use, ast.Name) or use.id != name or isinstance(use.ctx, ast.Store):
            continue
        inner = file.index.scope_of(use) is not scope
        if not inner and (use.lineno <= after or (ends is not None and use.lineno > ends)):
            continue
        shown = file.statement(use)
        if not isinstance(shown, ast.Expr) or not ast.unparse(shown).startswith("print("):
            return False
    return True
