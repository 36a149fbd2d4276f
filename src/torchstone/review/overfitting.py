"""Whether a model can learn one batch by heart: the losses of a run that is given nothing else.

The batch is repeated by `events/repeating.py`. A model that cannot bring the loss of a handful of samples
down has a mistake somewhere between its inputs and its optimizer, whatever the data are like (A recipe for
training neural networks, karpathy.github.io/2019/04/25/recipe, "overfit one batch").
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from torchstone.review.leaves import numbers_of
from torchstone.review.objects import is_number, is_tensor

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event, Stream

STEPS = 300
"""So many steps are made at the most, where nothing else is asked for."""

LEAST_STEPS = 20
"""Fewer steps say nothing."""

_LEFT = 0.1
"""The batch is learned when this share of the first loss is left, beyond what no model can avoid."""

_SURE = 0.02
"""A classifier whose loss is as small as this has learned it, whatever it began with."""

_WINDOW = 5
"""The median of so many losses counts, as with dropout single ones jump."""

_FALLING = 0.95
"""It still falls when the median of the last quarter is below this share of the one before."""

_LITTLE = 0.8
"""Of a loss with an unknown least value a run says something when more than this share is left."""

_CLASSIFIES = ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")
_NEVER_NEGATIVE = (*_CLASSIFIES, "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")

Outcome = Literal["learned", "stuck", "falling", "undecided"]


class EnoughSteps(BaseException):
    """Ends the program when the repeated batch has told what it can tell."""


@dataclass(frozen=True)
class Verdict:
    """What the run said.

    Args:
        outcome: the batch was learned; its loss stays where it is; it still falls; or nothing can be said.
        words: for the user.
        first, last: the loss of the first step, and the median of the last ones.
        steps: that were made.
        place: where the loss goes back.
    """

    outcome: Outcome
    words: str
    first: float = math.nan
    last: float = math.nan
    steps: int = 0
    place: Place | None = None

    @property
    def status(self) -> int:
        """0: it could; 1: it could not, in these steps; 2: there was nothing to judge."""
        return {"learned": 0, "stuck": 1, "falling": 1, "undecided": 2}[self.outcome]


@dataclass
class _Curve:
    """The losses of one line.

    Args:
        place: where they go back.
        losses: of the backward passes.
        floor: the least loss that any model can have; None where it is not known.
        sure: a loss below this is as good as none.
    """

    place: Place | None
    losses: list[float] = field(default_factory=list)
    floor: float | None = None
    sure: float = 0.0

    def last(self) -> float:
        return statistics.median(self.losses[-_WINDOW:])

    def is_learned(self) -> bool:
        if len(self.losses) < _WINDOW or min(self.losses) < 0:
            return False
        least = self.floor or 0.0
        return self.last() - least <= max(_LEFT * (self.losses[0] - least), self.sure)

    def is_falling(self) -> bool:
        quarter = len(self.losses) // 4
        least = self.floor or 0.0
        before = statistics.median(self.losses[-2 * quarter : -quarter])
        return statistics.median(self.losses[-quarter:]) - least < _FALLING * (before - least)


class Overfitting:
    """Gathers the losses of a run with a repeated batch.

    Args:
        stream: of the program.
        steps: after so many it ends.
    """

    def __init__(self, stream: Stream, steps: int) -> None:
        self._stream, self._most = stream, steps
        self._began: int | None = None
        self._samples: int | None = None
        self._curves: dict[Any, _Curve] = {}
        self._floors: dict[int, tuple[float | None, float]] = {}
        self._targets: dict[Any, Any] = {}
        self._anew = False
        self._scale: tuple[int, float] = (0, 1.0)

    def is_done(self) -> bool:
        """Whether the run has told what it can tell."""
        if self._began is None or self._stream.step - self._began < _WINDOW:
            return False
        return self._stream.step >= self._most or (
            len(self._curves) == 1 and all(curve.is_learned() for curve in self._curves.values())
        )

    def on_repeated(self, event: Event) -> None:
        """A batch is given once more."""
        if self._began is None:
            self._began, self._samples = self._stream.step, event.samples

    def on_loss(self, event: Event) -> None:
        """What the least value of a loss is, and whether the script draws the targets itself."""
        if not event.result.requires_grad:
            return
        if len(self._floors) > 64:
            self._floors.clear()
        self._floors[id(event.result)] = _least(event)
        if self._began is not None:
            place = event.place
            numbers = numbers_of(event.targets) if is_tensor(event.targets) else None
            if self._targets.setdefault(place, numbers) != numbers:
                self._anew = True

    def on_scaled(self, event: Event) -> None:
        """A loss that goes back multiplied."""
        self._scale = id(event.result), float(event.subject.get_scale())

    def on_backward(self, event: Event) -> None:
        """One loss more."""
        loss = event.subject
        if not is_number(loss):
            return
        value = float(loss.detach())
        if id(loss) == self._scale[0]:
            value /= self._scale[1]
        place = event.place
        curve = self._curves.get(place)
        if curve is None:
            floor, sure = self._floors.get(id(loss), (None, 0.0))
            curve = self._curves[place] = _Curve(place, floor=floor, sure=sure)
        curve.losses.append(value)
        self._floors.clear()

    def verdict(self) -> Verdict:
        """What the run said."""
        if self._began is None:
            return Verdict(
                "undecided", "the script trains on no batch of a `DataLoader`, so that none could be repeated"
            )
        if len(self._curves) != 1:
            lines = "; ".join(_told(curve) for curve in self._curves.values())
            return Verdict("undecided", f"several losses are trained against each other or in turn: {lines}")
        return self._judge(next(iter(self._curves.values())))

    def _judge(self, curve: _Curve) -> Verdict:
        steps = self._stream.step
        batch = "one batch" if self._samples is None else f"one batch of {self._samples}"
        what = f"the loss of {batch} {_fell(curve)} in {steps} steps"
        told = (curve.losses[0], curve.last(), steps, curve.place)
        if not all(map(math.isfinite, (curve.losses[0], curve.last()))):
            return Verdict("stuck", f"{what}: it is not finite", *told)
        if curve.is_learned():
            return Verdict("learned", f"{what}: the model can learn it", *told)
        if self._anew:
            return Verdict("undecided", f"{what}, but the script draws its targets anew at each step", *told)
        if min(curve.losses) < 0:
            return Verdict("undecided", f"{what}, but a loss below 0 has no least value that is known", *told)
        if len(curve.losses) < LEAST_STEPS:
            return Verdict("undecided", f"{what}: these are too few", *told)
        if curve.is_falling():
            return Verdict("falling", f"{what}, and still falls: give it more with --overfit-steps", *told)
        if curve.floor is None and curve.last() < _LITTLE * curve.losses[0]:
            return Verdict("undecided", f"{what}; its least value is not known", *told)
        return Verdict("stuck", f"{what}, and falls no more: the model cannot learn it", *told)


def _told(curve: _Curve) -> str:
    return f"line {curve.place.line if curve.place else '?'} {_fell(curve)}"


def _fell(curve: _Curve) -> str:
    first, last = curve.losses[0], curve.last()
    if f"{first:.3g}" == f"{last:.3g}":
        return f"was {first:.4g} first and last"
    return f"{'fell' if last < first else 'rose'} from {first:.4g} to {last:.4g}"


def _least(event: Event) -> tuple[float | None, float]:
    """The least value of a loss for its targets, if it is known, and what is as good as that."""
    if event.name not in _NEVER_NEGATIVE or event.options.get("reduction", "mean") not in ("mean", None):
        return None, 0.0
    if event.name not in _CLASSIFIES:
        return 0.0, 0.0
    floor = _entropy(event)
    return floor, 0.0 if floor is None else _SURE


def _entropy(event: Event) -> float | None:
    """Of targets that are no plain classes: what is left for the best model."""
    targets, options = event.targets, event.options
    smoothing = float(options.get("label_smoothing") or 0.0)
    weighted = options.get("weight") is not None or options.get("pos_weight") is not None
    if not targets.is_floating_point():
        return _smoothed(smoothing, event.subject.shape[-1 if event.subject.dim() == 1 else 1], weighted)
    soft = targets.detach().double()
    if not bool(((soft > 0) & (soft < 1)).any()):
        return None if smoothing else 0.0
    if weighted or smoothing:
        return None
    if event.name.startswith("binary"):
        return float(-(_own(soft) + _own(1 - soft)).mean())
    if event.name == "cross_entropy":
        return float(-_own(soft).sum(-1 if soft.dim() == 1 else 1).mean())
    return None


def _own(share: Any) -> Any:
    return share * share.clamp_min(1e-12).log()


def _smoothed(smoothing: float, classes: int, weighted: bool) -> float | None:
    if not smoothing:
        return 0.0
    if weighted:
        return None
    other = smoothing / classes
    true = 1 - smoothing + other
    return -true * math.log(true) - (classes - 1) * other * math.log(other)
