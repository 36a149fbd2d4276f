"""Columns that tell the target by themselves: what one column predicts on rows it was not fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from torchstone.data.table_preprocessing import as_frame

if TYPE_CHECKING:
    import polars as pl

    from torchstone.data.samples import Samples
    from torchstone.data.target import Target

SURE = 0.99
"""The share of rows that a column must tell to give the target away."""

_LEAST_GAIN = 0.5
"""The share of a majority vote's mistakes that it must mend, too: rare classes make high shares cheap."""

_MOST_ROWS = 20_000
_MANY_VALUES = 64
"""From so many different numbers on those close together are asked, too."""


def giveaways(samples: Samples, target: Target, train: np.ndarray, columns: list[str]) -> dict[str, float]:
    """The columns that give the target away, with the share of training rows (regression: the correlation).

    Classes are told by the majority of equal values, or of numbers close together, on one half of the
    training rows, measured on the other; a value that was not seen there tells nothing. Numbers are told by
    rank correlation.

    Args:
        samples: all samples.
        target: their targets; those of training rows are read.
        train: the training rows.
        columns: the columns to look at.
    """
    rows = train if len(train) <= _MOST_ROWS else train[:: -(-len(train) // _MOST_ROWS)]
    if len(rows) < 20:
        return {}
    frame = as_frame(samples.features)[rows]
    values = target.values[rows]
    found = {}
    for name in columns:
        if target.task.is_classification:
            share = _told(frame[name], values)
        elif target.task.kind == "regression" and values.ndim == 2 and values.shape[1] == 1:
            share = _correlation(frame[name], values[:, 0])
        else:
            continue
        if share is not None:
            found[name] = share
    return found


def _told(column: pl.Series, classes: np.ndarray) -> float | None:
    """The share of rows whose class the column tells, where that is nearly all; cross-fitted on halves."""
    draw = np.random.default_rng(0).permutation(len(column))
    halves = (draw[: len(draw) // 2], draw[len(draw) // 2 :])
    codes = column.rank("dense").fill_null(0).cast(int).to_numpy()
    right = [0, 0]
    numbers = None
    if column.dtype.is_numeric() and column.n_unique() >= _MANY_VALUES:
        numbers = column.cast(float).fill_null(float("nan")).to_numpy()
    for learned, asked in (halves, halves[::-1]):
        right[0] += int((_by_equal(codes, classes, learned, asked) == classes[asked]).sum())
        if numbers is not None:
            right[1] += int((_by_nearest(numbers, classes, learned, asked) == classes[asked]).sum())
    share = max(right) / len(column)
    majority = np.bincount(classes).max() / len(classes)
    gain = (share - majority) / max(1 - majority, 1e-12)
    return share if share >= SURE and gain >= _LEAST_GAIN else None


def _by_equal(codes: np.ndarray, classes: np.ndarray, learned: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """For each row the class that most learned rows of the same value have, -1 where there is none."""
    table = np.zeros((int(codes.max()) + 1, int(classes.max()) + 1))
    np.add.at(table, (codes[learned], classes[learned]), 1)
    answer: np.ndarray = np.where(table.sum(axis=1) > 0, table.argmax(axis=1), -1)
    told: np.ndarray = answer[codes[asked]]
    return told


def _by_nearest(
    numbers: np.ndarray, classes: np.ndarray, learned: np.ndarray, asked: np.ndarray
) -> np.ndarray:
    """For each row the vote of the learned row of the nearest value and of its two neighbours.

    Missing values count as the largest.
    """
    ordered = learned[np.argsort(numbers[learned])]
    values, votes = numbers[ordered], classes[ordered]
    after = np.searchsorted(values, numbers[asked]).clip(0, len(values) - 1)
    before = (after - 1).clip(0)
    nearer = np.abs(numbers[asked] - values[before]) < np.abs(values[after] - numbers[asked])
    nearest = np.where(nearer, before, after)
    left, right = votes[(nearest - 1).clip(0)], votes[(nearest + 1).clip(0, len(votes) - 1)]
    told: np.ndarray = np.where(left == right, left, votes[nearest])
    return told


def _correlation(column: pl.Series, values: np.ndarray) -> float | None:
    if not column.dtype.is_numeric():
        return None
    numbers = column.cast(float).fill_null(float("nan")).to_numpy()
    known = np.isfinite(numbers) & np.isfinite(values)
    if known.sum() < 20 or np.ptp(numbers[known]) == 0:
        return None
    ranks = [array.argsort().argsort() for array in (numbers[known], values[known])]
    pearson = abs(np.corrcoef(numbers[known], values[known])[0, 1])
    spearman = abs(np.corrcoef(*ranks)[0, 1])
    share = float(max(pearson, spearman))
    return share if share >= 0.999 else None
