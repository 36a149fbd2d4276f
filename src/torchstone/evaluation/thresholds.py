"""The threshold of a binary classifier: chosen on validation rows, its effect shown on the rows measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from torchstone.metrics import ScoredRows, compute

Array = npt.NDArray[Any]

_KEYS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")
_STEPS = 100


def thresholds(scored: ScoredRows, chosen: Mapping[str, float]) -> dict[str, Any]:
    """Thresholds and what they do to the rows measured.

    Args:
        scored: the rows measured.
        chosen: thresholds by name, from `best_thresholds` of validation rows; there may be none.

    Returns:
        {"chosen_on": "val" or None, "choices": [{"name", "threshold", metrics of the rows measured}],
        "effect": {"threshold": [...], one list for each metric}}; the first choice is the default.
    """
    choices = {"default": scored.threshold, **chosen}
    grid = np.arange(_STEPS + 1) / _STEPS
    effect = [_at(scored, float(threshold)) for threshold in grid]
    return {
        "chosen_on": "val" if chosen else None,
        "choices": [{"name": name, "threshold": at, **_at(scored, at)} for name, at in choices.items()],
        "effect": {"threshold": grid.tolist(), **{key: [values[key] for values in effect] for key in _KEYS}},
    }


def _at(scored: ScoredRows, threshold: float) -> dict[str, float | None]:
    values = compute(scored.task, scored.targets, scored.outputs, _KEYS, threshold=threshold)
    return {key: value if np.isfinite(value) else None for key, value in values.items()}


def best_thresholds(validation: ScoredRows) -> dict[str, float]:
    """The thresholds with the best F1 and the best balanced accuracy; of equals the highest.

    Returns:
        `best_f1` and `best_balanced_accuracy`; empty where the rows are all of one class.
    """
    if not 0 < validation.targets.sum() < len(validation):
        return {}
    ranked = validation.ranked[0]
    scores = validation.outputs[ranked.order, 1]
    ends = np.arange(len(scores)) if ranked.ends is None else ranked.ends
    true = np.cumsum(ranked.positive)[ends]
    said = ends + 1.0
    positives = float(ranked.positive.sum())
    negatives = len(scores) - positives
    f1 = 2.0 * true / (said + positives)
    balanced = (true / positives + 1.0 - (said - true) / negatives) / 2.0
    distinct = scores[ends]
    return {
        "best_f1": _between(distinct, int(f1.argmax())),
        "best_balanced_accuracy": _between(distinct, int(balanced.argmax())),
    }


def _between(falling: Array, place: int) -> float:
    """A threshold halfway to the next lower score, so that it does not hang on the digits of one row."""
    score = float(falling[place])
    lower = float(falling[place + 1]) if place + 1 < len(falling) else 0.0
    middle = (score + lower) / 2.0
    return middle if middle < score else lower
