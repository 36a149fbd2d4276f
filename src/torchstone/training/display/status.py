"""Where a run is, and the words and numbers that all displays share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

_BARS = "▁▂▃▄▅▆▇█"
_SPARKS = 24
"""Values of a sparkline at most; the latest ones."""


@dataclass
class Status:
    """What a display shows.

    Args:
        epoch: the current epoch, from 1.
        epochs: epochs at most.
        step: steps done in this epoch.
        steps: steps of an epoch; None when unknown.
        loss: the latest training loss.
        samples_per_second: the latest speed.
        elapsed: seconds of training.
        left: seconds that are left at most; None when unknown.
        monitor: what decides which epoch is best.
        monitored: its values, one per finished epoch; NaN where there is none.
        higher_is_better: its direction.
        latest: the numbers of the last finished epoch that are shown.
        waited: epochs without improvement.
        patience: after how many of them training stops.
    """

    epoch: int
    epochs: int
    step: int
    steps: int | None
    loss: float | None = None
    samples_per_second: float | None = None
    elapsed: float = 0.0
    left: float | None = None
    monitor: str | None = None
    monitored: Sequence[float] = ()
    higher_is_better: bool = False
    latest: dict[str, float] = field(default_factory=dict)
    waited: int = 0
    patience: int | None = None

    @property
    def fraction(self) -> float:
        """The share of all steps that are done, 0 to 1."""
        inside = self.step / self.steps if self.steps else 0.0
        return min((self.epoch - 1 + inside) / max(self.epochs, 1), 1.0)

    @property
    def best(self) -> tuple[float, int] | None:
        """The best monitored value and its epoch."""
        known = [(value, place + 1) for place, value in enumerate(self.monitored) if not math.isnan(value)]
        if not known:
            return None
        choose = max if self.higher_is_better else min
        return choose(known, key=lambda item: item[0])

    @property
    def is_best(self) -> bool:
        """Whether the last finished epoch is the best."""
        return self.best is not None and self.best[1] == len(self.monitored)

    @property
    def remaining(self) -> str:
        """`0:12 left`; `at most` where training may stop early; empty when nothing is known or left."""
        if self.left is None or self.fraction >= 1:
            return ""
        return f"{'at most ' if self.patience else ''}{duration(self.left)} left"


def number(value: float) -> str:
    """A loss or metric in a width that hardly changes: `0.0264`, `4.537`, `1.2e-05`."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e6):
        return f"{value:.1e}"
    if size < 1:
        return f"{value:.4f}"
    return f"{value:#.4g}" if size < 1000 else f"{value:,.0f}"


def label(key: str | None) -> str:
    """A key of the history in words: `val_loss` is `val loss`."""
    return (key or "").replace("_", " ")


def rate(samples_per_second: float) -> str:
    """`11,332 samples/s`."""
    return f"{samples_per_second:,.0f} samples/s"


def duration(seconds: float) -> str:
    """`0:07`, `2:31`, `1:02:31`."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def sparkline(values: Sequence[float]) -> str:
    """The latest values as a row of bars; empty for fewer than two."""
    shown = [value for value in values if math.isfinite(value)][-_SPARKS:]
    if len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    spread = (high - low) or 1.0
    return "".join(_BARS[round((value - low) / spread * (len(_BARS) - 1))] for value in shown)
