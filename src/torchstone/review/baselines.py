"""What a model loses that always gives the same answer: the best one for the targets that were seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchstone.review.stream import Event

_MOST = 4096
"""Losses over more classes, or more numbers a sample, are left alone."""

_CHANGED = ("weight", "pos_weight", "size_average", "reduce")


@dataclass(frozen=True)
class Tally:
    """The targets of one batch, summed up.

    Args:
        kind: classes, chances or numbers.
        count: of targets.
        first: how often each class came; or the mean of each column.
        second: the mean square of each column of numbers.
    """

    kind: str
    count: int
    first: list[float]
    second: list[float]


def tally(event: Event) -> Tally | None:
    """Sums up the targets of a `loss`; None where the loss is not a plain mean of a known kind."""
    options, summing = event.options, _KINDS.get(event.name)
    plain = options.get("reduction", "mean") == "mean" and not options.get("label_smoothing")
    if summing is None or not plain or any(options.get(name) is not None for name in _CHANGED):
        return None
    return summing(event)


def constant_loss(tallies: Sequence[Tally]) -> float | None:
    """The least loss that one answer for all these targets has; None where they do not fit together."""
    if len({(each.kind, len(each.first)) for each in tallies}) != 1:
        return None
    total = sum(each.count for each in tallies)
    if tallies[0].kind == "classes":
        counts = zip(*(each.first for each in tallies), strict=True)
        shares: list[float] = [sum(column) / total for column in counts]
        return sum(-share * math.log(share) for share in shares if share > 0)
    means = _weighted([each.first for each in tallies], tallies, total)
    if tallies[0].kind == "chances":
        return sum(_entropy(mean) for mean in means) / len(means)
    squares = _weighted([each.second for each in tallies], tallies, total)
    return sum(square - mean**2 for mean, square in zip(means, squares, strict=True)) / len(means)


def _weighted(columns: list[list[float]], tallies: Sequence[Tally], total: int) -> list[float]:
    counts = [each.count / total for each in tallies]
    return [
        sum(share * value for share, value in zip(counts, values, strict=True))
        for values in zip(*columns, strict=True)
    ]


def _entropy(chance: float) -> float:
    return -sum(one * math.log(one) for one in (chance, 1 - chance) if one > 0)


def _classes(event: Event) -> Tally | None:
    outputs, targets = event.subject, event.targets
    classes = outputs.shape[1] if outputs.dim() > 1 else 0
    if targets.is_floating_point() or not 2 <= classes <= _MOST:
        return None
    held = targets.detach().reshape(-1)
    held = held[held != event.options.get("ignore_index", -100)]
    if not held.numel():
        return None
    counts = held.bincount(minlength=classes).tolist()
    return Tally("classes", held.numel(), counts, []) if len(counts) == classes else None


def _chances(event: Event) -> Tally | None:
    columns = _columns(event)
    if columns is None or not bool(((columns >= 0) & (columns <= 1)).all()):
        return None
    return Tally("chances", len(columns), columns.mean(0).tolist(), [])


def _numbers(event: Event) -> Tally | None:
    columns = _columns(event)
    if columns is None:
        return None
    return Tally("numbers", len(columns), columns.mean(0).tolist(), columns.square().mean(0).tolist())


def _columns(event: Event) -> Any:
    """The targets as rows of numbers."""
    targets = event.targets.detach()
    if not targets.is_floating_point() or not targets.dim() or event.subject.shape != targets.shape:
        return None
    rows = targets.reshape(len(targets), -1).double() if targets.numel() else None
    return rows if rows is not None and rows.shape[1] <= _MOST else None


_KINDS: dict[str, Callable[[Any], Tally | None]] = {
    "cross_entropy": _classes,
    "nll_loss": _classes,
    "binary_cross_entropy": _chances,
    "binary_cross_entropy_with_logits": _chances,
    "mse_loss": _numbers,
}
