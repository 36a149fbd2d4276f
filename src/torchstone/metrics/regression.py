"""Metrics of numbers; each takes `Draws` and gives one number for each draw, float64 (D,).

Of several numbers per row it is the plain mean over them.
"""

from __future__ import annotations

import numpy as np

from torchstone.metrics.rows import Array, Draws


def root_mean_squared_error(draws: Draws) -> Array:
    """The root of the mean squared error, in the target's unit."""
    return np.asarray(np.sqrt(draws.mean(_errors(draws) ** 2)).mean(axis=1))


def mean_absolute_error(draws: Draws) -> Array:
    """The mean absolute error, in the target's unit."""
    return np.asarray(draws.mean(np.abs(_errors(draws))).mean(axis=1))


def r2(draws: Draws) -> Array:
    """The share of the target's variance that is explained; NaN below two rows.

    For a target that is constant it is 1 when all predictions are right, else 0, as in scikit-learn.
    """
    if len(draws.rows) < 2:
        return np.full(len(draws.weights), np.nan)
    targets = draws.rows.targets
    # Around the mean, so that the difference of the two sums below keeps its digits.
    centred = targets - np.average(targets, axis=0, weights=draws.weights.sum(axis=0))
    left = draws.mean(_errors(draws) ** 2)
    spread = draws.mean(centred**2) - draws.mean(centred) ** 2
    known = spread > 0
    shares = 1.0 - np.divide(left, spread, out=np.ones_like(left), where=known)
    return np.asarray(np.where(~known & (left == 0), 1.0, shares).mean(axis=1))


def median_absolute_error(draws: Draws) -> Array:
    """The median of the absolute errors, in the target's unit; weighted rows count as often as they weigh."""
    errors = np.abs(_errors(draws))
    medians = [_weighted_median(errors[:, i], draws.weights) for i in range(errors.shape[1])]
    return np.asarray(np.mean(medians, axis=0))


def _errors(draws: Draws) -> Array:
    return np.asarray(draws.rows.outputs - draws.rows.targets)


def _weighted_median(values: Array, weights: Array) -> Array:
    """The value at half of the weight; the mean of two where half falls between them: (D,)."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    reached = np.cumsum(weights[:, order], axis=1)
    half = reached[:, -1:] / 2.0
    lower = np.argmax(reached >= half, axis=1)
    upper = np.argmax(reached > half + np.finfo(np.float64).eps, axis=1)
    return np.asarray((ordered[lower] + ordered[upper]) / 2.0)
