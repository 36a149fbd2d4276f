"""The rows on which a model is most wrong: where they are, what they say, what was predicted."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from torchstone.data.samples import Samples
from torchstone.metrics import ScoredRows

Array = npt.NDArray[Any]

ROWS = 20
"""How many of the worst rows are kept."""

_FEATURES = 50


def worst_rows(
    scored: ScoredRows, samples: Samples, indices: Array, columns: Sequence[str]
) -> list[dict[str, Any]]:
    """The rows with the largest loss, worst first.

    The loss is the log loss, for a regression the absolute error (over several targets the mean of the errors
    in deviations of each target).

    Args:
        scored: targets and outputs of the rows measured.
        samples: all samples.
        indices: for each row measured its place among the samples.
        columns: the columns whose values are shown.

    Returns:
        {"index", "place", "target", "prediction", "loss", "confidence", "features"} for each; the confidence
        is the probability of the predicted class, None for a regression; features are empty for arrays.
    """
    losses = _losses(scored)
    order = np.argsort(-losses, kind="stable")[:ROWS]
    return [
        {
            "index": int(indices[row]),
            "place": samples.place(int(indices[row])),
            "target": _said(scored, scored.targets[row]),
            "prediction": _said(scored, scored.predicted[row]),
            "loss": float(losses[row]),
            "confidence": _confidence(scored, int(row)),
            "features": _features(samples, int(indices[row]), columns),
        }
        for row in order
    ]


def _losses(scored: ScoredRows) -> Array:
    if scored.task.kind != "regression":
        return scored.log_losses
    errors = np.abs(scored.outputs - scored.targets)
    if scored.width == 1:
        return np.asarray(errors[:, 0])
    spread = scored.targets.std(axis=0)
    return np.asarray((errors / np.where(spread > 0, spread, 1.0)).mean(axis=1))


def _said(scored: ScoredRows, value: Any) -> Any:
    """A target or a prediction in words: a class, a list of labels, a number, or a number for each target."""
    task = scored.task
    if task.is_classification:
        return task.classes[int(value)]
    if task.kind == "multilabel":
        return [name for name, is_set in zip(task.classes, value, strict=True) if is_set]
    if len(task.targets) == 1:
        return float(value[0])
    return {name: float(number) for name, number in zip(task.targets, value, strict=True)}


def _confidence(scored: ScoredRows, row: int) -> float | None:
    if scored.task.is_classification:
        return float(scored.outputs[row, int(scored.predicted[row])])
    if scored.task.kind == "multilabel":
        chosen = np.where(scored.predicted[row] == 1, scored.outputs[row], 1.0 - scored.outputs[row])
        return float(chosen.mean())
    return None


def _features(samples: Samples, index: int, columns: Sequence[str]) -> dict[str, Any]:
    if isinstance(samples.features, np.ndarray):
        return {}
    shown = [name for name in columns if name in samples.features.columns][:_FEATURES]
    return {name: _plain(samples.features[name][index]) for name in shown}


def _plain(value: Any) -> Any:
    """A value of a table as JSON has it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return str(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)
