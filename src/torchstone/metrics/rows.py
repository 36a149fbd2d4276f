"""The rows that metrics are computed over, and the weights that a draw gives them.

Every metric is computed for many draws at once: a draw is one weight per row, so that a plain value is one
draw of ones, sample weights are one draw, and a bootstrap is a thousand draws of counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from torchstone.task import Task

Array = npt.NDArray[Any]


class Ranked(NamedTuple):
    """The rows in falling order of one score.

    Args:
        order: int64 (N,), the rows, highest score first.
        positive: float64 (N,), 1 where the row in that place is of the class.
        ends: int64, the last place of each group of equal scores; None when no two scores are equal.
    """

    order: Array
    positive: Array
    ends: Array | None


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Targets and what a model said about them.

    Args:
        task: what was to be learned.
        targets: class indices (N,), 0/1 labels (N, L), or numbers (N, T) or (N,).
        outputs: probabilities (N, classes); for binary also (N,) or (N, 1), of the positive class; (N, L) for
            multilabel; numbers (N, T) or (N,) for regression.
        threshold: a probability of the positive class, or of a label, above it counts as a yes.
    """

    task: Task
    targets: Array
    outputs: Array
    threshold: float = 0.5

    def __post_init__(self) -> None:
        targets, outputs = np.asarray(self.targets), np.asarray(self.outputs, dtype=np.float64)
        if self.task.is_classification:
            targets = targets.reshape(-1).astype(np.int64)
            if outputs.ndim == 1 or outputs.shape[1] == 1:
                positive = outputs.reshape(-1)
                outputs = np.stack([1.0 - positive, positive], axis=1)
        else:
            kind = np.int64 if self.task.kind == "multilabel" else np.float64
            targets = targets.astype(kind).reshape(len(targets), -1)
            outputs = outputs.reshape(len(outputs), -1)
        if len(targets) != len(outputs) or (targets.ndim == 2 and targets.shape != outputs.shape):
            raise ValueError(f"targets of shape {targets.shape} do not fit outputs of shape {outputs.shape}.")
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "outputs", outputs)

    def __len__(self) -> int:
        return len(self.targets)

    @cached_property
    def finite(self) -> bool:
        """Whether no output and no target is NaN or infinite."""
        return bool(np.isfinite(self.outputs).all() and np.isfinite(self.targets).all())

    @property
    def width(self) -> int:
        """How many classes, labels or numbers a row has."""
        return int(self.outputs.shape[1])

    @cached_property
    def predicted(self) -> Array:
        """Class indices (N,), 0/1 labels (N, L), or the outputs of a regression."""
        if self.task.kind == "binary":
            return (self.outputs[:, 1] > self.threshold).astype(np.int64)
        if self.task.kind == "multiclass":
            return np.asarray(self.outputs.argmax(axis=1))
        if self.task.kind == "multilabel":
            return (self.outputs > self.threshold).astype(np.int64)
        return self.outputs

    @cached_property
    def confidence(self) -> Array:
        """The probability of the most likely class, float64 (N,)."""
        return np.asarray(self.outputs.max(axis=1))

    @cached_property
    def hit(self) -> Array:
        """1 where the most likely class is the right one, float64 (N,)."""
        return np.asarray(self.outputs.argmax(axis=1) == self.targets, dtype=np.float64)

    @cached_property
    def log_losses(self) -> Array:
        """The log loss of each row, float64 (N,); for multilabel the mean over the labels.

        Probabilities are kept one machine epsilon away from 0 and 1, as scikit-learn does.
        """
        epsilon = np.finfo(np.float64).eps
        probabilities = np.clip(self.outputs, epsilon, 1.0 - epsilon)
        if self.task.kind == "multilabel":
            chosen = np.where(self.targets == 1, probabilities, 1.0 - probabilities)
            losses: Array = -np.log(chosen).mean(axis=1)
            return losses
        return np.asarray(-np.log(probabilities[np.arange(len(self)), self.targets]))

    @cached_property
    def ranked(self) -> list[Ranked]:
        """One ranking for the positive class, for each class against the rest, or for each label."""
        if self.task.kind == "binary":
            return [_rank(self.outputs[:, 1], self.targets == 1)]
        if self.task.kind == "multiclass":
            return [_rank(self.outputs[:, i], self.targets == i) for i in range(self.width)]
        return [_rank(self.outputs[:, i], self.targets[:, i] == 1) for i in range(self.width)]


def _rank(scores: Array, positive: Array) -> Ranked:
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.append(np.diff(falling) != 0, True)
    return Ranked(order, positive[order].astype(np.float64), None if last.all() else np.flatnonzero(last))


class Draws:
    """Weights over rows, and the sums that several metrics share.

    Args:
        rows: targets and outputs.
        weights: float64 (D, N), one row of weights for each draw.
        resampled: whether a weight of zero means that the row is not there (a bootstrap), so that a class
            without any row left is no class of that draw; for sample weights it stays one.
    """

    def __init__(self, rows: ScoredRows, weights: Array, *, resampled: bool) -> None:
        self.rows = rows
        self.weights = weights
        self.resampled = resampled

    @cached_property
    def total(self) -> Array:
        """The sum of the weights, (D,)."""
        return np.asarray(self.weights.sum(axis=1))

    def mean(self, values: Array) -> Array:
        """The weighted mean of one value per row, or of each column of (N, K): (D,) or (D, K)."""
        sums = self.weights @ values
        return np.asarray(sums / (self.total if values.ndim == 1 else self.total[:, None]))

    def sum_by(self, groups: Array, count: int, values: Array | None = None) -> Array:
        """The weights (times one value per row) summed by the rows' group: (D, count)."""
        sums = np.zeros((len(self.weights), count))
        if not len(groups):
            return sums
        order = np.argsort(groups, kind="stable")
        ordered = groups[order]
        starts = np.flatnonzero(np.append(True, np.diff(ordered) != 0))
        weighted = self.weights[:, order]
        if values is not None:
            weighted *= values[order]
        sums[:, ordered[starts]] = np.add.reduceat(weighted, starts, axis=1)
        return sums

    @cached_property
    def counts(self) -> tuple[Array, Array, Array]:
        """Rows that were right, that are of the class and that were said to be: three of (D, classes)."""
        rows = self.rows
        targets, predicted = rows.targets, rows.predicted
        if rows.task.kind == "multilabel":
            both = targets * predicted
            right, support, said = (self.weights @ x.astype(np.float64) for x in (both, targets, predicted))
            return right, support, said
        correct = (targets == predicted).astype(np.float64)
        return (
            self.sum_by(targets, rows.width, correct),
            self.sum_by(targets, rows.width),
            self.sum_by(predicted, rows.width),
        )

    @cached_property
    def present(self) -> Array:
        """Which classes are among the targets or the predictions, bool (D, classes) or (1, classes)."""
        _, support, said = self.counts
        if self.rows.task.kind == "multilabel":
            return np.ones((1, self.rows.width), dtype=bool)
        if self.resampled:
            return np.asarray(support + said > 0)
        seen = np.zeros((1, self.rows.width), dtype=bool)
        seen[0, self.rows.targets] = True
        seen[0, self.rows.predicted] = True
        return seen

    @cached_property
    def rankings(self) -> tuple[Array, Array]:
        """Area under the ROC curve and average precision, each (D,), the mean over classes or labels."""
        found = [self._ranking(ranked) for ranked in self.rows.ranked]
        return np.mean([area for area, _ in found], axis=0), np.mean([mean for _, mean in found], axis=0)

    def _ranking(self, ranked: Ranked) -> tuple[Array, Array]:
        weights = self.weights[:, ranked.order]
        true = np.cumsum(weights * ranked.positive, axis=1)
        flagged = np.cumsum(weights, axis=1)
        positives = true[:, -1]
        negatives = weights @ (1.0 - ranked.positive)
        if ranked.ends is not None:
            true, flagged = true[:, ranked.ends], flagged[:, ranked.ends]
        gained = np.diff(true, axis=1, prepend=0.0)
        false = flagged - true
        with np.errstate(divide="ignore", invalid="ignore"):
            # Trapezoids: a positive within a group of equal scores is half above, half below its negatives.
            crossed = np.sum(np.diff(false, axis=1, prepend=0.0) * (true - gained / 2.0), axis=1)
            area = np.where((positives > 0) & (negatives > 0), crossed / (positives * negatives), np.nan)
            precision = np.where(flagged > 0, true / flagged, 0.0)
            average = np.where(positives > 0, np.sum(gained * precision, axis=1) / positives, np.nan)
        return area, average
