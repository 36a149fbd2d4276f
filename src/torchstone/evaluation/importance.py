"""Importance of columns: how much worse a model gets when a column's values are shuffled.

Breiman: Random Forests, 2001; Fisher, Rudin, Dominici: All Models are Wrong, but Many are Useful, 2019.
Columns that say the same share their importance: each alone can be shuffled at little cost.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from torchstone.data.samples import Samples
from torchstone.evaluation.outputs import model_outputs
from torchstone.evaluation.restore import Restored
from torchstone.metrics import METRICS, compute, main_metric

Array = npt.NDArray[Any]

ROWS = 5000
"""The most rows that are used: a sample of them."""


def permutation_importance(
    restored: Restored,
    samples: Samples,
    targets: Array,
    indices: Array,
    *,
    repeats: int = 3,
    seconds: float = 10,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> list[dict[str, Any]]:
    """What shuffling each column costs in the task's main metric.

    Args:
        restored: the model.
        samples: all samples.
        targets: the targets of all samples.
        indices: the samples to measure on; at most 5,000 of them are used.
        repeats: the most shuffles of each column.
        seconds: no further shuffle begins after this time; columns not reached are left out.
        seed: of the sample and the shuffles.
        device: where to compute; where the module is by default.

    Returns:
        {"column", "metric", "drop", "deviation", "repeats", "rows"} for each column, most important first:
        the mean and deviation of how much worse the metric became (below 0: better). Empty for arrays, and
        where the metric is not defined.
    """
    if isinstance(samples.features, np.ndarray) or not len(indices):
        return []
    rng = np.random.default_rng(seed)
    chosen = np.asarray(indices, dtype=np.int64)
    if len(chosen) > ROWS:
        chosen = np.sort(rng.choice(chosen, ROWS, replace=False))
    part = _part(samples, chosen)
    whole = part.features
    wanted, key = targets[chosen], main_metric(restored.task)

    def value(frame: Any) -> float:
        rows = restored.preprocessing.encode(replace(part, features=frame))
        outputs = model_outputs(restored, rows, device=device)
        return compute(restored.task, wanted, outputs, [key])[key]

    before = value(whole)
    if not math.isfinite(before) or not isinstance(whole, pl.DataFrame):
        return []
    sign = 1.0 if METRICS[key].higher_is_better else -1.0
    drops: dict[str, list[float]] = {column: [] for column in restored.preprocessing.columns_used}
    end = time.monotonic() + seconds
    for _ in range(repeats):
        for column, found in drops.items():
            if time.monotonic() > end:
                break
            shuffled = whole[column].gather(rng.permutation(len(chosen)))
            found.append(sign * (before - value(whole.with_columns(shuffled))))
    return _sorted(drops, key, len(chosen))


def _part(samples: Samples, indices: Array) -> Samples:
    features: Any = samples.features
    return replace(
        samples,
        features=features[indices],
        target=None,
        file_of=samples.file_of[indices],
        row_of=samples.row_of[indices],
        given_split=None,
    )


def _sorted(drops: dict[str, list[float]], key: str, rows: int) -> list[dict[str, Any]]:
    measured = [
        {
            "column": column,
            "metric": key,
            "drop": float(np.mean(found)),
            "deviation": float(np.std(found)),
            "repeats": len(found),
            "rows": rows,
        }
        for column, found in drops.items()
        if found
    ]
    return sorted(measured, key=lambda each: -float(str(each["drop"])))
