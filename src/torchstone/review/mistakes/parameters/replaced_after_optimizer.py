"""A layer or a whole model is replaced after the optimizer was made, which goes on training the old one.

## What it does
Reports a layer with parameters that is put into a model after an optimizer took the model's parameters, a
model that is made anew under the same name while the optimizer of the old one is used on, and a layer that
is made in `forward`. The replacing is followed into functions of the project.

## Why is this bad?
An optimizer holds the tensors that it was given. The new layer's are not among them: it keeps its random
start, while the optimizer steps on tensors that nobody uses. Nothing fails, and the rest of the model
hides it.

## References
- [Constructing an optimizer](https://docs.pytorch.org/docs/stable/optim.html#constructing-it)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.leaves import abandoned
from torchstone.review.mistake import Example
from torchstone.review.naming import written
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.scopes import Scope
from torchstone.review.syntax.training import optimized_models
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS503"
NAME = "replaced-after-optimizer"
SEVERITY: Severity = "error"

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        optimizer = torch.optim.Adam(model.parameters())
        model.fc = nn.Linear(512, 10)  # TS503
        for x, y in [(torch.randn(2, 3, 64, 64), torch.tensor([1, 2]))]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1000))
    model[2] = nn.Linear(8, 10)
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in [(torch.randn(2, 4), torch.tensor([1, 2]))]:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    """,
)

_WITH_PARAMETERS = (
    "Linear",
    "Bilinear",
    "Conv",
    "Lazy",
    "BatchNorm",
    "Embedding",
    "LSTM",
    "GRU",
    "RNN",
    "Transformer",
    "MultiheadAttention",
)

_STEPS = 3
"""Something is neglected when it was so at this many steps."""


def check(file: File) -> Iterator[Finding]:
    """Looks at what follows each optimizer in the function that makes it, and at each forward."""
    calls = file.index.calls_by_name
    if "parameters" in calls:
        for call in calls["parameters"]:
            made = file.index.parents.get(call)
            if not isinstance(made, ast.Call):
                continue
            value = file.value(made)
            if value is not None and value.kind == "optimizer" and value.call == made:
                yield from _after(file, made, value)
    for cls in file.classes:
        if cls.is_module:
            yield from _in_forward(file, cls.scope)


# After the optimizer


def _after(file: File, made: ast.AST, optimizer: Value) -> Iterator[Finding]:
    models = optimized_models(optimizer)
    assignment = file.index.parents.get(made)
    if not models or not isinstance(assignment, ast.Assign) or len(assignment.targets) != 1:
        return
    name = ast.unparse(assignment.targets[0])
    later = _later(file, assignment)
    for position, statement in enumerate(later):
        rest = later[position + 1 :]
        if _assigns(statement, name) or "add_param_group" in ast.unparse(statement):
            return
        found = _replacement(file, statement, models[0], made)
        if found is None:
            continue
        if _goes_on(file, rest, name) and not any("add_param_group" in ast.unparse(each) for each in rest):
            yield _finding(file, statement, made, name, found)
        return


def _later(file: File, statement: ast.stmt) -> list[ast.stmt]:
    """The statements that surely run after one, in the same body."""
    parent = file.index.parents[statement]
    for body in (getattr(parent, "body", None), getattr(parent, "orelse", None)):
        if isinstance(body, list) and statement in body:
            return body[body.index(statement) + 1 :]
    return []


def _assigns(statement: ast.stmt, name: str) -> bool:
    """Whether a statement, or one in it, gives the optimizer's name another meaning."""
    return any(
        ast.unparse(target) == name
        for part in ast.walk(statement)
        if isinstance(part, ast.Assign)
        for whole in part.targets
        for target in (whole.elts if isinstance(whole, ast.Tuple) else [whole])
    )


def _goes_on(file: File, rest: list[ast.stmt], name: str) -> bool:
    """Whether the optimizer steps later, or is given to a function, before its name means another one."""
    for statement in rest:
        if _assigns(statement, name):
            return False
        for call in ast.walk(statement):
            if not isinstance(call, ast.Call):
                continue
            if ast.unparse(call.func) == f"{name}.step":
                return True
            given = any(ast.unparse(argument) == name for argument in call.args)
            if given and file.callable_name(file.frame_of(call), call) is None:
                return True
    return name.startswith("self.")


def _replacement(file: File, statement: ast.stmt, model: Value, made: ast.AST) -> str | None:
    """What a statement replaces in a model, or that it makes the model anew; None for all others."""
    frame = file.frame_of(statement)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        layer = _layer_put_into(frame, target, statement.value, model)
        if layer is not None:
            return layer
        return _made_anew(file, frame, target, statement.value, made)
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return None
    called = frame.value(call.func)
    if called is None or called.kind != "function":
        return None
    callee = frame.callee(call)
    if callee is None:
        return None
    for inner in callee.scope.body:
        if isinstance(inner, ast.Assign) and len(inner.targets) == 1:
            layer = _layer_put_into(callee, inner.targets[0], inner.value, model)
            if layer is not None:
                return layer
    return None


def _layer_put_into(frame: Frame, target: ast.expr, value: ast.expr, model: Value) -> str | None:
    """The part of a model that becomes a new layer with parameters: `model.fc = nn.Linear(...)`."""
    if not isinstance(target, ast.Attribute | ast.Subscript) or not _has_parameters(frame, value):
        return None
    base: ast.expr = target
    while isinstance(base, ast.Attribute | ast.Subscript):
        base = base.value
        found = frame.value(base)
        if found is not None and found.kind == "module":
            return ast.unparse(target) if found.keys == model.keys and len(model.keys) == 1 else None
    return None


def _has_parameters(frame: Frame, node: ast.expr) -> bool:
    value = frame.value(node) if isinstance(node, ast.Call) else None
    if value is None or value.kind != "module" or value.call is not node:
        return False
    name = value.name or ""
    if name == "torch.nn.Sequential":
        assert isinstance(node, ast.Call)  # noqa: S101 (asked above)
        return any(_has_parameters(frame, layer) for layer in node.args)
    return name.startswith("torch.nn.") and name[len("torch.nn.") :].startswith(_WITH_PARAMETERS)


def _made_anew(file: File, frame: Frame, target: ast.expr, value: ast.expr, made: ast.AST) -> str | None:
    """The name of the optimizer's model when a statement gives it to a new model."""
    assert isinstance(made, ast.Call)  # noqa: S101 (the caller has seen it)
    parameters = made.args[0] if made.args else None
    if not isinstance(parameters, ast.Call) or not isinstance(parameters.func, ast.Attribute):
        return None
    name = ast.unparse(target)
    if ast.unparse(parameters.func.value) != name or not isinstance(value, ast.Call):
        return None
    new = frame.value(value)
    old = frame.value(parameters.func.value)
    text = ast.unparse(value)
    if new is None or old is None or new.kind != "module" or new.call is None or new.may_be(old):
        return None
    makes_it = new.call is value or (new.frame is not None and new.frame is not frame)
    mentions = any(isinstance(part, ast.Name) and part.id in name.split(".") for part in ast.walk(value))
    return name if makes_it and not mentions and "copy" not in text else None


def _finding(file: File, statement: ast.stmt, made: ast.AST, optimizer: str, replaced: str) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        statement,
        f"`{replaced}` is new here, but `{optimizer}` was made before and does not hold its parameters",
        why="the new parameters are never trained",
        fix=Fix(f"Make `{optimizer}` after `{replaced}`."),
        related=(file.related(made, "the optimizer took the parameters that there were"),),
    )


# Made in forward


def _in_forward(file: File, scope: Scope) -> Iterator[Finding]:
    binding = next((b for b in scope.bindings.get("forward", []) if b.kind == "function"), None)
    if binding is None:
        return
    method = file.index.scopes[binding.node]
    for statement in method.body:
        if not isinstance(statement, ast.Assign | ast.Return) or statement.value is None:
            continue
        for part in ast.walk(statement.value):
            if isinstance(part, ast.Call) and _has_parameters(file.frame_of(part), part):
                if not _fixed_filter(method):
                    yield _new_each_time(file, part)
                break


def _fixed_filter(method: Scope) -> bool:
    """Whether a layer of the method may be one that nothing should train."""
    text = ast.unparse(method.node)
    return any(word in text for word in (".weight", "no_grad", "affine=False", "requires_grad"))


def _new_each_time(file: File, call: ast.Call) -> Finding:
    layer = ast.unparse(call.func)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{layer}(...)` is made anew in each `forward`: its random parameters are in no optimizer",
        why="what the layer learns is thrown away, and each call gives another result",
        fix=Fix("Make the layer in `__init__` and call it in `forward`."),
    )


class Watch(Detector):
    """Looks for parameters that get gradients in a model and came after the optimizer of the model."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._abandoned: ByIdentity[bool] = ByIdentity()

    @sampled
    def on_backward(self, event: Event) -> None:
        """Judges what was neglected over some steps."""
        if not self.gradients.accounts:
            return
        free = {id(leaf) for leaf in self.neglected.look(event, _STEPS)}
        if not free:
            return
        for root, name in self.names.roots():
            paths = [path for path, one in root.named_parameters() if id(one) in free]
            owners = self.gradients.owners(list(root.parameters())) if paths else []
            if owners:
                self._judge_parts(event, root, name, paths, owners)
            elif paths:
                self._judge_model(event, root, name, paths)

    def _judge_parts(self, event: Event, root: Any, name: str, paths: list[str], owners: Any) -> None:
        for path in paths:
            for whole, part in self.parts.way(root, path):
                late = [
                    one
                    for one, account in owners
                    if account.steps >= _STEPS and self.parts.optimizers.get(one, (part.time,))[0] < part.time
                ]
                if late and part.places:
                    self._tell(event, f"{name}{written(whole)}", part.places, late[0], bool(part.replaced))
                    break

    def _judge_model(self, event: Event, root: Any, name: str, paths: list[str]) -> None:
        """A model none of whose parameters are in an optimizer, while one steps on what nobody has."""
        way = self.parts.way(root, paths[0])
        made = self.parts.made.get(root)
        if not way or made is None or not made.places:
            return
        for optimizer, account in list(self.gradients.accounts.items()):
            starves = account.steps >= _STEPS and account.gave < account.stepped_before
            since = self.parts.optimizers.get(optimizer)
            if not starves or since is None or since[0] > way[0][1].time:
                continue
            if optimizer not in self._abandoned:
                self._abandoned[optimizer] = abandoned(optimizer)
            if self._abandoned[optimizer]:
                if made.time < since[0]:  # the model was there: only what was trained of it is new
                    self._judge_parts(event, root, name, paths, [(optimizer, account)])
                else:
                    self._tell(event, name, made.places, optimizer, True)
                return

    def _tell(self, event: Event, name: str, places: list[Place], optimizer: Any, replaced: bool) -> None:
        made = self.parts.optimizers[optimizer][1]
        self.found(
            f"`{name}` was {'replaced' if replaced else 'made'} after the optimizer was made, which does not "
            "hold the new parameters",
            why="they get gradients, but nothing trains them",
            place=places[0],
            fix="Make the optimizer after the model is complete, or give it the part with `add_param_group`.",
            related=(
                *((place, "asked for here") for place in places[1:]),
                (made, "the optimizer took the parameters that there were"),
                (event.place, "gradients arrive here"),
            ),
            cause=places[0],
            parameters=name,
            optimizer=type(optimizer).__name__,
        )
