"""All parameters of a model are frozen, and the optimizer is given nothing else.

## What it does
Reports an optimizer that is made from the parameters of a model of which all were frozen just before, in the
same function or by a function of the project, with no layer replaced and nothing unfrozen afterwards.

## Why is this bad?
No parameter gets a gradient. The backward pass stops with "element 0 of tensors does not require grad", or
nothing at all is learned when something else in the loss requires a gradient.

## References
- [Locally disabling gradient computation](https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import parameters
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, is_tensor
from torchstone.review.pausing import STEADY
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS504"
NAME = "everything-frozen"
SEVERITY: Severity = "error"
MENTIONS = ("parameters", "requires_grad|freeze")

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torchvision.models import resnet18

        model = resnet18(weights="DEFAULT")
        model.fc = nn.Linear(512, 10)
        for parameter in model.parameters():
            parameter.requires_grad = False
        optimizer = torch.optim.Adam(model.parameters())  # TS504
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1000))
    for parameter in model.parameters():
        parameter.requires_grad = False
    model[2] = nn.Linear(8, 10)
    optimizer = torch.optim.Adam(model.parameters())
    """,
)

_KEEPING = {"to", "cuda", "cpu", "train", "eval", "parameters", "load_state_dict"}

_STEPS = 3
"""An optimizer is said to do nothing after so many steps."""


def check(file: File) -> Iterator[Finding]:
    """Looks at what stands before each optimizer in the function that makes it."""
    if "parameters" not in file.index.calls_by_name or _unfreezes(file):
        return
    for call in file.index.calls_by_name["parameters"]:
        made = _optimizer(file, call)
        if made is None or not isinstance(call.func, ast.Attribute):
            continue
        model = file.value(call.func.value)
        if model is None or model.kind != "module" or len(model.keys) != 1:
            continue
        frozen = _frozen_before(file, made, model)
        if frozen is not None:
            yield _finding(file, made, frozen, ast.unparse(call.func.value))


def _optimizer(file: File, parameters: ast.Call) -> ast.Call | None:
    """The optimizer that gets these parameters, perhaps filtered, and nothing else."""
    node = file.index.parents.get(parameters)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "filter":
        node = file.index.parents.get(node)
    if not isinstance(node, ast.Call) or not node.args:
        return None
    value = file.value(node)
    return node if value is not None and value.kind == "optimizer" and value.call == node else None


def _unfreezes(file: File) -> bool:
    """Whether the file lets any parameter learn again."""
    text = file.source.text
    if "requires_grad" not in text and "freeze" not in text:
        return True  # nothing to look at
    if "unfreeze" in text.lower() or "setattr" in text or "add_param_group" in text:
        return True
    for node in (*file.index.nodes[ast.Assign], *file.index.calls_by_name.get("requires_grad_", ())):
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            if isinstance(target, ast.Attribute) and target.attr == "requires_grad" and not _off(node.value):
                return True
        elif isinstance(node, ast.Call) and not _off(_flag(node)):
            return True
    return False


def _off(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _flag(call: ast.Call) -> ast.expr | None:
    return next(iter((*call.args, *(keyword.value for keyword in call.keywords))), None)


def _frozen_before(file: File, made: ast.Call, model: Value) -> ast.stmt | None:
    """The statement that freezes the whole model, when nothing between it and the optimizer adds layers."""
    statement = file.statement(made)
    parent = file.index.parents[statement]
    body: list[ast.stmt] = getattr(parent, "body", [])
    if not isinstance(body, list) or statement not in body:
        return None
    for earlier in reversed(body[: body.index(statement)]):
        frame = file.frame_of(earlier)
        if _freezes(frame, earlier, model):
            return earlier
        if _may_add(frame, earlier, model):
            return None
    return None


def _freezes(frame: Frame, statement: ast.stmt, model: Value, depth: int = 0) -> bool:
    """Whether a statement surely freezes all parameters of a model."""
    if isinstance(statement, ast.For):
        return _is_freezing_loop(frame, statement, model)
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return False
    if isinstance(call.func, ast.Attribute) and call.func.attr == "requires_grad_":
        return _off(_flag(call)) and _is(frame, call.func.value, model)
    called = frame.value(call.func)
    if called is None or called.kind != "function" or depth > 1:
        return False
    callee = frame.callee(call)
    if callee is None:
        return False
    freezing = [inner for inner in callee.scope.body if _freezes(callee, inner, model, depth + 1)]
    after = callee.scope.body[callee.scope.body.index(freezing[-1]) + 1 :] if freezing else []
    return bool(freezing) and not any(_may_add(callee, inner, model) for inner in after)


def _is_freezing_loop(frame: Frame, loop: ast.For, model: Value) -> bool:
    """`for p in model.parameters(): p.requires_grad = False`, under no condition."""
    source, variable = loop.iter, loop.target
    if not isinstance(source, ast.Call) or not isinstance(source.func, ast.Attribute) or source.args:
        return False
    if source.func.attr == "named_parameters" and isinstance(variable, ast.Tuple):
        variable = variable.elts[-1]
    elif source.func.attr != "parameters":
        return False
    if not isinstance(variable, ast.Name) or not _is(frame, source.func.value, model):
        return False
    first = loop.body[0]
    if isinstance(first, ast.Assign):
        target = first.targets[0]
        named = isinstance(target, ast.Attribute) and target.attr == "requires_grad"
        return named and ast.unparse(target) == f"{variable.id}.requires_grad" and _off(first.value)
    return ast.unparse(first) == f"{variable.id}.requires_grad_(False)"


def _is(frame: Frame, node: ast.expr, model: Value) -> bool:
    value = frame.value(node)
    return value is not None and value.kind == "module" and value.keys == model.keys


def _may_add(frame: Frame, statement: ast.stmt, model: Value) -> bool:
    """Whether a statement puts a layer into the model, or gives it to something that may."""
    for part in ast.walk(statement):
        if isinstance(part, ast.Assign):
            for target in part.targets:
                base: ast.expr = target
                while isinstance(base, ast.Attribute | ast.Subscript):
                    base = base.value
                    if _is(frame, base, model):
                        return True
        if isinstance(part, ast.Call):
            if any(_is(frame, argument, model) for argument in part.args):
                return True
            method = part.func
            own = isinstance(method, ast.Attribute) and method.attr not in _KEEPING
            if own and isinstance(method, ast.Attribute) and _is(frame, method.value, model):
                return True
    return False


def _finding(file: File, made: ast.Call, frozen: ast.stmt, model: str) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        made,
        f"the optimizer gets the parameters of `{model}` alone, and all of them are frozen",
        why="no parameter gets a gradient, so nothing can learn",
        fix=Fix("Freeze before the new layers are put in, or leave out those that should learn."),
        related=(file.related(frozen, "frozen here"),),
    )


class Watch(Detector):
    """Looks for a training in which every parameter of every optimizer is frozen."""

    PAUSES = STEADY

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._still: ByIdentity[int] = ByIdentity()

    def on_backward(self, event: Event) -> None:
        """A loss without a graph: torch will stop here."""
        if not is_tensor(event.subject) or event.subject.requires_grad:
            return
        optimizers = [one for one, _ in list(self.gradients.accounts.items())]
        if optimizers and all(self._is_frozen(one) or self._is_empty(one) for one in optimizers):
            self._tell(optimizers[-1], event.place)

    @sampled
    def on_step_began(self, event: Event) -> None:
        """A step that can do nothing, while gradients arrive elsewhere."""
        optimizer = event.subject
        if not self._is_frozen(optimizer):
            return
        self._still[optimizer] = self._still.get(optimizer, 0) + 1
        account = self.gradients.of(optimizer)
        if self._still[optimizer] >= _STEPS and not account.gave_first:
            self._tell(optimizer, event.place)

    def _is_frozen(self, optimizer: Any) -> bool:
        """Whether nothing in it can learn; a stand-in that only drives a schedule is in no model."""
        held = list(parameters(optimizer))
        if any(one.requires_grad or one.grad is not None for one in held):
            return False
        return any(self.names.parameter(one) is not None for one in held[:1])

    def _is_empty(self, optimizer: Any) -> bool:
        """Whether it was given all that wants gradients, which is nothing, as what is called is frozen."""
        called = [one for root, _ in self.names.roots() for one in root.parameters()]
        frozen = bool(called) and not any(one.requires_grad for one in called)
        return frozen and not any(True for _ in parameters(optimizer))

    def _tell(self, optimizer: Any, place: Place | None) -> None:
        made = self.parts.optimizers.get(optimizer, (0, None))[1]
        held = list(parameters(optimizer))
        words = f"All {len(held)} parameters of the optimizer are frozen"
        self.found(
            f"{words if held else 'The optimizer has no parameters, as all are frozen'}: nothing can learn",
            why="a parameter with `requires_grad=False` gets no gradient",
            place=made or place,
            fix="Freeze the parts that shall stay as they are, and put in new layers afterwards.",
            related=((place, "nothing here needs a gradient"),),
            parameters=self.names.parameters(held),
            optimizer=type(optimizer).__name__,
        )
