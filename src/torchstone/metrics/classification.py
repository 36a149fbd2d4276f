"""Metrics of classes and labels; each takes `Draws` and gives one number for each draw, float64 (D,)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from torchstone.metrics.rows import Array, Draws

Average = Literal["positive", "macro", "micro", "weighted"]

BINS = 15
"""How many bins of equal width the calibration error has."""


def accuracy(draws: Draws) -> Array:
    """The share of rows whose class is right."""
    return draws.mean((draws.rows.targets == draws.rows.predicted).astype(np.float64))


def balanced_accuracy(draws: Draws) -> Array:
    """The mean of the recalls of the classes that are among the targets."""
    right, support, _ = draws.counts
    there = support > 0
    return np.asarray(_ratio(right, support).sum(axis=1) / there.sum(axis=1))


def subset_accuracy(draws: Draws) -> Array:
    """The share of rows of which all labels are right."""
    return draws.mean((draws.rows.targets == draws.rows.predicted).all(axis=1).astype(np.float64))


def hamming_loss(draws: Draws) -> Array:
    """The share of wrong labels."""
    return draws.mean((draws.rows.targets != draws.rows.predicted).mean(axis=1))


def precision(average: Average) -> Callable[[Draws], Array]:
    """Of the rows said to be of a class, the share that is; 0 where none was said to be."""

    def compute(draws: Draws) -> Array:
        right, _, said = draws.counts
        return _average(draws, right, said, average)

    return compute


def recall(average: Average) -> Callable[[Draws], Array]:
    """Of the rows of a class, the share that was said to be; 0 where there is none."""

    def compute(draws: Draws) -> Array:
        right, support, _ = draws.counts
        return _average(draws, right, support, average)

    return compute


def f1(average: Average) -> Callable[[Draws], Array]:
    """The harmonic mean of precision and recall."""

    def compute(draws: Draws) -> Array:
        right, support, said = draws.counts
        return _average(draws, 2.0 * right, support + said, average)

    return compute


def _average(draws: Draws, above: Array, below: Array, average: Average) -> Array:
    """The ratio of two counts of each class, (D, classes), averaged over the classes."""
    if average == "micro":
        return _ratio(above.sum(axis=1), below.sum(axis=1))
    ratios = _ratio(above, below)
    if average == "positive":
        return np.asarray(ratios[:, 1])
    if average == "weighted":
        support = draws.counts[1]
        return _ratio((ratios * support).sum(axis=1), support.sum(axis=1))
    present = draws.present
    return np.asarray((ratios * present).sum(axis=1) / present.sum(axis=1))


def _ratio(above: Array, below: Array) -> Array:
    """`above / below`, 0 where both are 0."""
    return np.divide(above, below, out=np.zeros(np.shape(below)), where=below > 0)


def roc_auc(draws: Draws) -> Array:
    """Area under the ROC curve; of several classes the mean of each against the rest."""
    return draws.rankings[0]


def average_precision(draws: Draws) -> Array:
    """The precision at each recall that is gained, summed over the gains; mean over classes or labels."""
    return draws.rankings[1]


def log_loss(draws: Draws) -> Array:
    """The mean negative logarithm of the probability of what was true."""
    return draws.mean(draws.rows.log_losses)


def brier(draws: Draws) -> Array:
    """The mean squared distance of the probabilities from the truth (Brier, 1950).

    Two classes: of the positive class's probability, from 0 to 1; more: the sum over the classes, up to 2.
    """
    rows = draws.rows
    if rows.task.kind == "binary":
        return draws.mean((rows.outputs[:, 1] - rows.targets) ** 2)
    truth = np.take_along_axis(rows.outputs, rows.targets[:, None], axis=1)[:, 0]
    return draws.mean((rows.outputs**2).sum(axis=1) - 2.0 * truth + 1.0)


def confidence_bins(confidence: Array, bins: int = BINS) -> Array:
    """The bin of each confidence, int64 (N,): bin i holds `i / bins < confidence <= (i + 1) / bins`."""
    return np.asarray(np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1).astype(np.int64))


def expected_calibration_error(draws: Draws) -> Array:
    """The mean gap between confidence and accuracy over 15 equal bins of the top class's probability.

    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, 2017.
    """
    rows = draws.rows
    gaps = draws.sum_by(confidence_bins(rows.confidence), BINS, rows.hit - rows.confidence)
    return np.asarray(np.abs(gaps).sum(axis=1) / draws.total)


def matthews_corrcoef(draws: Draws) -> Array:
    """The correlation of targets and predictions (Matthews, 1975; Gorodkin, 2004); 0 when one is constant."""
    right, support, said = draws.counts
    total = support.sum(axis=1)
    together = right.sum(axis=1) * total - (support * said).sum(axis=1)
    square = total**2
    spreads = [square - (x**2).sum(axis=1) for x in (support, said)]
    # Sums of weights in another order differ in the last digits: a constant's spread is not quite zero.
    constant = (spreads[0] < 1e-12 * square) | (spreads[1] < 1e-12 * square)
    spread = np.sqrt(np.where(constant, 1.0, spreads[0] * spreads[1]))
    return np.where(constant, 0.0, together / spread)
