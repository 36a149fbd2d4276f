"""A learning rate is far outside of what can train a network.

## What it does
Reports Adam and its relatives with a rate of 1 or more, any optimizer of a model's parameters with a rate of
0 or less than 1e-9, where no scheduler and no other line of the file sets the rate.

## Why is this bad?
Adam moves each weight by about the learning rate in each step: with 1.0 the weights are gone after the first
one. A rate of zero changes nothing at all.

## References
- [Adam](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html)
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.schedules import given
from torchstone.review.syntax.training import optimized_models
from torchstone.review.updates import Updates

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS511"
NAME = "learning-rate-extreme"
SEVERITY: Severity = "warning"
MENTIONS = ("parameters",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=10)  # TS511
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    """,
)

_ADAMS = {"Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop"}
_SETTING = ("param_groups", "chedul", "LambdaLR", "grad_scale", "lr_lambda")

_TOO_FAR = 1.0
"""The rule of thumb is an update of about 1e-3 of the weights (Stanford CS231n, "Ratio of weights:updates",
cs231n.github.io/neural-networks-3); this is a thousand times as much."""

_STEPS = 4
"""So many measured steps in a row went too far, on average."""

_SEARCHES = {"LBFGS", "Rprop"}


def check(file: File) -> Iterator[Finding]:
    """Looks at each optimizer of a model with a constant rate."""
    if "parameters" not in file.index.calls_by_name or any(w in file.source.text for w in _SETTING):
        return
    for call in file.index.calls_by_name["parameters"]:
        made = file.index.parents.get(call)
        value = file.value(made) if isinstance(made, ast.Call) else None
        if not isinstance(made, ast.Call) or value is None or value.kind != "optimizer":
            continue
        rate = _rate(file, made) if value.call == made and optimized_models(value) else None
        kind = (value.name or "").rsplit(".", 1)[-1]
        if rate is None or not (value.name or "").startswith("torch.optim."):
            continue
        if rate >= 1 and kind in _ADAMS:
            yield _finding(file, made, f"{kind} moves each weight by about {rate:g} in each step", "smaller")
        elif rate < 1e-9:
            yield _finding(file, made, f"a learning rate of {rate:g} changes nothing", "larger")


def _rate(file: File, made: ast.Call) -> float | None:
    node = given(made, 1, "lr")
    value = file.value(node) if node is not None else None
    constant = value.constant if value is not None and value.kind == "constant" else None
    number = isinstance(constant, int | float) and not isinstance(constant, bool)
    return float(constant) if number and isinstance(constant, int | float) else None


def _finding(file: File, made: ast.Call, message: str, direction: str) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        made,
        message,
        why="the weights are far from anything useful at once, or stay as they are",
        fix=Fix(f"Use a {direction} rate, such as 1e-3."),
    )


class Watch(Detector):
    """Compares how far a step moves the weights with the weights themselves."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._updates = Updates()
        self._ratios: weakref.WeakKeyDictionary[Any, list[float]] = weakref.WeakKeyDictionary()

    @sampled
    def on_step_began(self, event: Event) -> None:
        """The weights before; a line search may go far with its first steps."""
        if self.stream.sampled and type(event.subject).__name__ not in _SEARCHES:
            self._updates.began(event.subject)

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """Judges some steps in a row in which all that was measured went too far."""
        measured = self._updates.ended()
        if not measured:
            return
        ratios = self._ratios.setdefault(event.subject, [])
        least = min(ratio for _, ratio, _ in measured)
        # The weights grow with such steps, so that the later ones look smaller beside them.
        if not _TOO_FAR / 4 <= least < float("inf"):
            ratios.clear()
            return
        ratios.append(least)
        names = [self.names.parameter(weight) for weight, _, _ in measured]
        if len(ratios) < _STEPS or None in names:
            return
        if sum(ratios) < _TOO_FAR * len(ratios):
            ratios.clear()
            return
        optimizer = event.subject
        made = self.parts.optimizers.get(optimizer, (0, None))[1]
        rate = optimizer.param_groups[0]["lr"]
        self.found(
            f"With a rate of {float(rate):g} each step moves `{names[0]}` by {ratios[0]:.2g} times its own "
            "length",
            why="steps of about a thousandth of the weights are usual; such steps forget what was learned",
            place=made or event.place,
            fix="Make the rate smaller.",
            related=((event.place, "stepped here"),),
            cause=id(optimizer),
            ratios=[round(ratio, 3) for ratio in ratios],
            rate=float(rate),
        )
