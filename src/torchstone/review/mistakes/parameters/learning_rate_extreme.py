"""A learning rate is far outside of what can train a network.

## What it does
Reports Adam and its relatives with a rate of 1 or more, any optimizer of a model's parameters with a rate of
0 or less than 1e-9, where no scheduler and no other line of the file sets the rate. While a program runs,
what a step does to the weights is measured: reported are steps that move all that is looked at by more than
its own length, and, at the end of 500 steps or more, steps that all together moved it by less than a
thousandth while the loss stayed where it was. A step is usually about a thousandth of the weights.

## Why is this bad?
Adam moves each weight by about the learning rate in each step: with 1.0 the weights are gone after the first
one. A rate of zero changes nothing at all, and one that is far too low wastes the run.

## References
- [Adam](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html)
- [CS231n: ratio of weights and updates](https://cs231n.github.io/neural-networks-3/#ratio)
"""

from __future__ import annotations

import ast
import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import rate_of
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, is_number
from torchstone.review.syntax.file import File
from torchstone.review.syntax.schedules import given
from torchstone.review.syntax.training import optimized_models
from torchstone.review.updates import Updates

if TYPE_CHECKING:
    from torchstone.review.places import Place
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

_TOO_NEAR = 1e-3
"""All steps of a run together move the weights by less than one usual step does."""

_LONG = 500
"""So many steps tell."""

_SAME = 0.8
"""The loss stayed where it was when more than this share of it is left; batches differ."""

_FEW = 8
"""So many losses make the mean at the start and at the end."""

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
        elif rate < 1e-9 and not _is_loaded(file):
            yield _finding(file, made, f"a learning rate of {rate:g} changes nothing", "larger")


def _is_loaded(file: File) -> bool:
    """Whether a state is put into an optimizer, and its rate with it."""
    calls = file.index.calls_by_name.get("load_state_dict", ())
    owners = (file.value(call.func.value) for call in calls if isinstance(call.func, ast.Attribute))
    return any(owner is None or owner.kind == "optimizer" for owner in owners)


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


@dataclass
class _Small:
    """The steps of an optimizer that may be too small.

    Args:
        place: of its steps.
        name: of a weight that was looked at.
        greatest: of all steps, how far one moved the weights for their length.
        times: so many were measured.
        rates: the first rate and the last one.
    """

    place: Place | None
    name: str | None
    greatest: float = 0.0
    times: int = 0
    rates: list[float] = field(default_factory=list)


class Watch(Detector):
    """Compares how far a step moves the weights with the weights themselves."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._updates = Updates()
        self._ratios: ByIdentity[list[float]] = ByIdentity()
        self._small: ByIdentity[_Small] = ByIdentity()
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_FEW)
        self._loaded = False

    def on_state_loaded(self, event: Event) -> None:
        """Weights that are good already are left nearly as they are on purpose."""
        self._loaded = True

    @sampled
    def on_backward(self, event: Event) -> None:
        """The loss, at the start and at the end."""
        loss = event.subject
        if is_number(loss):
            value = float(loss.detach())
            if len(self._first) < _FEW:
                self._first.append(value)
            self._last.append(value)

    @sampled
    def on_step_began(self, event: Event) -> None:
        """The weights before; a line search may go far with its first steps."""
        if type(event.subject).__name__ not in _SEARCHES:
            self._updates.began(event.subject)

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """Judges some steps in a row in which all that was measured went too far."""
        measured = self._updates.ended()
        if not measured:
            return
        self._note(event, measured)
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
        rate = rate_of(optimizer.param_groups[0])
        which = "Each" if rate is None else f"With a rate of {rate:g} each"
        self.found(
            f"{which} step moves `{names[0]}` by {ratios[0]:.2g} times its own length",
            why="steps of about a thousandth of the weights are usual; such steps forget what was learned",
            place=made or event.place,
            fix="Make the rate smaller.",
            related=((event.place, "stepped here"),),
            cause=id(optimizer),
            ratios=[round(ratio, 3) for ratio in ratios],
            rate=rate,
        )

    def _note(self, event: Event, measured: list[tuple[Any, float, float]]) -> None:
        """How far a step went, for the end."""
        optimizer = event.subject
        small = self._small.get(optimizer)
        if small is None:
            name = self.names.parameter(measured[0][0])
            small = self._small[optimizer] = _Small(event.place, name)
        went = [moved for _, moved, gradient in measured if gradient > 0]
        small.times += bool(went)
        small.greatest = max(small.greatest, *went) if went else small.greatest
        rates = {rate_of(group) for group in optimizer.param_groups}
        # Groups may be trained more and less, and in ways of their own.
        rate = (rates.pop() if len(rates) == 1 else None) or float("nan")
        small.rates = [small.rates[0] if small.rates else rate, rate]

    def on_end(self, event: Event) -> None:
        """Whether all steps together went nowhere."""
        if self._loaded or len(self._last) < _FEW or len(self.gradients.each()) != 1:
            return
        before, after = statistics.fmean(self._first), statistics.fmean(self._last)
        if not 0 < _SAME * before < after:
            return
        for optimizer, account in self.gradients.each():
            small = self._small.get(optimizer)
            if small is not None and account.steps >= _LONG and small.times >= _FEW:
                self._tell_small(optimizer, account.steps, small, before, after)

    def _tell_small(self, optimizer: Any, steps: int, small: _Small, before: float, after: float) -> None:
        together = steps * small.greatest
        first, last = small.rates
        if not 0 < together < _TOO_NEAR or not 0 < last <= first or small.name is None:
            return
        made = self.parts.optimizers.get(optimizer, (0, None))[1]
        self.found(
            f"With a rate of {first:g} all {steps} steps together move `{small.name}` by {together:.1g} of "
            f"its own length at the most, and the loss stays at {after:.3g}",
            why="a single step is usually about a thousandth of the weights: nothing is learned in this time",
            place=made or small.place,
            fix="Make the rate larger.",
            related=((small.place, "stepped here"),),
            cause=id(optimizer),
            rate=first,
            steps=steps,
            together=together,
            losses=[before, after],
        )
