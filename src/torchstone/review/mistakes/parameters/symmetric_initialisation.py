"""All weights of several layers start at one value, so that their units stay copies of each other.

## What it does
Reports `nn.init.zeros_`, `ones_` or `constant_` of the weight of every `nn.Linear` (or convolution) of a
model, in a function for `apply` or a loop over `modules()`, in a file whose model has several of them.

## Why is this bad?
Units that start equal get equal gradients and stay equal: a layer of 256 units learns what one could. With
zeros even the gradients of all but the last layer are zero.

## References
- [torch.nn.init](https://docs.pytorch.org/docs/stable/nn.init.html)
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import rate_of
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.file import File

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS514"
NAME = "symmetric-initialisation"
SEVERITY: Severity = "warning"
MENTIONS = ("zeros_|ones_|constant_",)

BAD = (
    Example(
        """
        from torch import nn

        def initialise(layer):
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.weight)  # TS514
                nn.init.zeros_(layer.bias)

        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        model.apply(initialise)
        """
    ),
)
GOOD = (
    """
    from torch import nn

    def initialise(layer):
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    model.apply(initialise)
    """,
)

_LAYERS = {f"torch.nn.{name}" for name in ("Linear", "Conv1d", "Conv2d", "Conv3d")}
_CONSTANT = ("zeros_", "ones_", "constant_")

_STEPS = 10
"""What begins at zero on purpose has left it after so many steps."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each constant initialisation of a weight."""
    for name in _CONSTANT:
        for call in file.index.calls_by_name.get(name, ()):
            if file.name(call.func) == f"torch.nn.init.{name}" and call.args:
                layer = _every(file, call)
                if layer is not None and _count(file, layer) > 1 and not _refined(file, call):
                    yield _finding(file, call, layer)


def _every(file: File, call: ast.Call) -> str | None:
    """The kind of layer that an `isinstance` alone lets pass, when the call is of its weight."""
    weight = call.args[0]
    if isinstance(weight, ast.Attribute) and weight.attr == "data":
        weight = weight.value
    if (
        not isinstance(weight, ast.Attribute)
        or weight.attr != "weight"
        or not isinstance(weight.value, ast.Name)
    ):
        return None
    branch = file.index.parents[file.statement(call)]
    if not isinstance(branch, ast.If) or file.statement(call) not in branch.body:
        return None
    test = branch.test
    if not isinstance(test, ast.Call) or ast.unparse(test.func) != "isinstance" or len(test.args) != 2:
        return None
    if ast.unparse(test.args[0]) != weight.value.id:
        return None
    name = file.name(test.args[1])
    return name if name in _LAYERS and not isinstance(file.index.parents[branch], ast.If) else None


def _count(file: File, layer: str) -> int:
    """How many layers of a kind the file makes."""
    calls = file.index.calls_by_name.get(layer.rsplit(".", 1)[-1], ())
    return sum(file.name(call.func) == layer for call in calls)


def _refined(file: File, call: ast.Call) -> bool:
    """Whether the function sets weights at random too: the constant may be for some layers alone."""
    scope = file.index.scope_of(call).node
    text = ast.unparse(scope)
    return any(word in text for word in ("normal_", "uniform_", "orthogonal_", "eye_", "dirac_", "trunc"))


def _finding(file: File, call: ast.Call, layer: str) -> Finding:
    kind = layer.rsplit(".", 1)[-1]
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"the weights of every `{kind}` start at one value: their units stay copies of each other",
        why="equal units get equal gradients",
        fix=Fix("Draw the weights, such as with `nn.init.kaiming_uniform_`."),
    )


class Watch(Detector):
    """Looks for weights whose units are all alike, and stay so while they are trained."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._alike: ByIdentity[list[weakref.ref[Any]]] = ByIdentity()

    @sampled
    def on_step_began(self, event: Event) -> None:
        """Which weights are so when the training begins."""
        optimizer = event.subject
        if optimizer in self._alike:
            return
        held = (one for group in optimizer.param_groups for one in group["params"] if rate_of(group) != 0)
        self._alike[optimizer] = [weakref.ref(one) for one in held if _is_alike(one)]

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """What starts at zero on purpose, such as a last layer, is so no longer."""
        waiting = self._alike.get(event.subject)
        if not waiting or self.gradients.of(event.subject).steps < _STEPS:
            return
        weights = [one for one in (reference() for reference in waiting) if one is not None]
        self._alike[event.subject] = []
        for weight in weights:
            name = self.names.parameter(weight)
            if name is not None and weight.grad is not None and _is_alike(weight):
                self._tell(event, name, weight)

    def _tell(self, event: Event, name: str, weight: Any) -> None:
        optimizer = event.subject
        made = self.parts.optimizers.get(optimizer, (0, None))[1]
        rest = "all zero" if not bool(weight.any()) else "all alike"
        self.found(
            f"The {weight.shape[0]} units of `{name}` are {rest}, and still are after {_STEPS} steps",
            why="units that begin alike get the same gradient: they stay one unit",
            place=made or event.place,
            fix="Begin with random weights, such as `nn.init.xavier_uniform_`.",
            related=((event.place, "trained here"),),
            cause=made,
            parameters=name,
        )


def _is_alike(weight: Any) -> bool:
    """Whether the rows of a matrix or the filters of a convolution are all equal; waits for the device."""
    if weight.dim() < 2 or weight.shape[0] < 2 or not weight.requires_grad or weight.is_meta:
        return False
    if not weight.is_contiguous():
        return False
    rows = weight.detach().view(weight.shape[0], -1)
    if rows.shape[1] < 1 or rows[0][:4].tolist() != rows[1][:4].tolist():
        return False
    return bool((rows == rows[:1]).all())
