"""Intervals of metrics: how far a value would move if other rows had been drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from torchstone.metrics import METRICS, ScoredRows, compute, compute_draws, known

Array = npt.NDArray[Any]

LARGE = 100_000
"""Above this many rows the normal approximation takes the place of percentiles."""

_DRAWS = 1000
_LEAST_DRAWS = 200
_DRAWS_OF_LARGE = 50
_LEAST_DRAWS_OF_LARGE = 20
_WORK = 10_000_000
"""Rows times rankings times draws that take about two seconds."""

_MOST_WORK = 40_000_000
"""More than this is not spent on percentiles."""

_CHUNK = 2_000_000
"""Weights that are held at once."""

_NORMAL_QUANTILE = 1.959963984540054


def with_intervals(scored: ScoredRows, seed: int = 0) -> dict[str, dict[str, float | None]]:
    """All metrics of a task, each with its 95 % interval.

    The interval is that of the percentile bootstrap over rows (Efron and Tibshirani, 1993): 1,000 draws,
    fewer (at least 200) when there are many rows or classes. Above 100,000 rows, or 200,000 rows times
    classes, it is value plus or minus 1.96 deviations of 20 to 50 draws. It is widened, where needed, to
    hold the value. The calibration error grows when rows are drawn twice: its draws are moved down by their
    mean distance from the value, so that they lie about it.

    Args:
        scored: targets and outputs.
        seed: of the draws.

    Returns:
        key to {"value", "low", "high"}; None where the value is not defined.
    """
    task = scored.task
    values = compute(task, scored.targets, scored.outputs, threshold=scored.threshold)
    if not len(scored) or not scored.finite:
        return {key: {"value": None, "low": None, "high": None} for key in values}
    draws, normal = _plan(scored)
    parts = [compute_draws(scored, counts) for counts in _resamples(len(scored), draws, seed)]
    intervals = {}
    for key in known(task):
        drawn = np.concatenate([part[key] for part in parts])
        if METRICS[key].grows_resampled:
            drawn = np.maximum(drawn - (np.nanmean(drawn) - values[key]), METRICS[key].low)
        low, high = _normal(key, values[key], drawn) if normal else _percentiles(drawn)
        intervals[key] = _interval(values[key], low, high)
    return intervals


def _plan(scored: ScoredRows) -> tuple[int, bool]:
    """How many draws are made, and whether only their deviation is used."""
    work = len(scored) * (1 if scored.task.kind == "binary" else scored.width)
    if len(scored) > LARGE or work * _LEAST_DRAWS > _MOST_WORK:
        return int(np.clip(_MOST_WORK // work, _LEAST_DRAWS_OF_LARGE, _DRAWS_OF_LARGE)), True
    return int(np.clip(_WORK // work, _LEAST_DRAWS, _DRAWS)), False


def _resamples(rows: int, draws: int, seed: int) -> Iterator[Array]:
    """How often each draw with replacement holds each row, (some draws, rows) at a time."""
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // rows)
    for start in range(0, draws, step):
        count = min(step, draws - start)
        chosen = (rng.integers(0, rows, rows) for _ in range(count))
        yield np.stack([np.bincount(places, minlength=rows) for places in chosen]).astype(np.float64)


def _percentiles(drawn: Array) -> tuple[float, float]:
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        return np.nan, np.nan
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def _normal(key: str, value: float, drawn: Array) -> tuple[float, float]:
    defined = drawn[np.isfinite(drawn)]
    if len(defined) < 2:
        return np.nan, np.nan
    reach = _NORMAL_QUANTILE * float(defined.std(ddof=1))
    return max(value - reach, METRICS[key].low), min(value + reach, METRICS[key].high)


def _interval(value: float, low: float, high: float) -> dict[str, float | None]:
    if not np.isfinite(value):
        return {"value": None, "low": None, "high": None}
    if not np.isfinite(low):
        return {"value": value, "low": None, "high": None}
    return {"value": value, "low": min(low, value), "high": max(high, value)}
