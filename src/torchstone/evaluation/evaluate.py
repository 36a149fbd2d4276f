"""Evaluation: all that is known about how good a model is on one part of the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from torchstone.data.rows import Rows
from torchstone.data.samples import Samples
from torchstone.evaluation.curves import CLASSES, calibration, curves
from torchstone.evaluation.intervals import with_intervals
from torchstone.evaluation.outputs import model_outputs, to_units
from torchstone.evaluation.residuals import residuals
from torchstone.evaluation.restore import Restored
from torchstone.evaluation.thresholds import best_thresholds, thresholds
from torchstone.evaluation.worst import worst_rows
from torchstone.metrics import ScoredRows
from torchstone.metrics.rows import Draws
from torchstone.task import Task

__all__ = ["Evaluation", "evaluate", "measure", "model_outputs", "to_units"]

Array = npt.NDArray[Any]


@dataclass
class Evaluation:
    """What a model is worth on one part of the data; all values are JSON values.

    Args:
        split: which part: `train`, `val`, `test` or the name of other data.
        rows: how many rows were measured.
        task: `Task.to_json`.
        metrics: key to {"value", "low", "high"}, None where undefined; see `torchstone.metrics.METRICS`.
        per_class: {"class", "precision", "recall", "f1", "support", "predicted"} for each class or label.
        confusion: rows of each true class by predicted class, in the order of the task's classes.
        curves: `roc` and `precision_recall`, see `torchstone.evaluation.curves`.
        calibration: bins of confidence, see `torchstone.evaluation.curves`.
        threshold: for binary, see `torchstone.evaluation.thresholds`; else None.
        residuals: for regression one summary for each target, see `torchstone.evaluation.residuals`.
        worst: the rows with the largest loss, see `torchstone.evaluation.worst`.
        importance: of the columns, see `torchstone.evaluation.importance`; empty where it was not computed.
        notes: what must be said about the numbers, one sentence each.
    """

    split: str
    rows: int
    task: dict[str, Any]
    metrics: dict[str, dict[str, float | None]]
    per_class: list[dict[str, Any]] = field(default_factory=list, repr=False)
    confusion: list[list[int]] = field(default_factory=list, repr=False)
    curves: dict[str, list[dict[str, Any]]] = field(default_factory=dict, repr=False)
    calibration: list[dict[str, Any]] = field(default_factory=list, repr=False)
    threshold: dict[str, Any] | None = field(default=None, repr=False)
    residuals: list[dict[str, Any]] = field(default_factory=list, repr=False)
    worst: list[dict[str, Any]] = field(default_factory=list, repr=False)
    importance: list[dict[str, Any]] = field(default_factory=list, repr=False)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The evaluation as JSON values."""
        values = asdict(self)
        values["task"] = {key: list(v) if isinstance(v, tuple) else v for key, v in self.task.items()}
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Evaluation:
        """The inverse of `to_json`; keys of later versions are passed over."""
        known = {each.name for each in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


def evaluate(
    restored: Restored,
    rows: Rows,
    targets: Array,
    samples: Samples,
    indices: Array,
    split: str,
    *,
    device: torch.device | str | None = None,
    validation: Evaluation | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measures a model on some of the samples.

    Args:
        restored: the model.
        rows: all samples, encoded.
        targets: the targets of all samples, as `Target.values` has them, in the target's unit.
        samples: all samples, for places and values of the worst rows.
        indices: the samples to measure on.
        split: what they are called.
        device: where to compute; where the module is by default.
        validation: the evaluation of the validation rows, for the thresholds that were chosen on them.
        seed: of the bootstrap.
    """
    task = restored.task
    indices = np.asarray(indices, dtype=np.int64)
    scored = ScoredRows(task, targets[indices], model_outputs(restored, rows, indices, device=device))
    evaluation = measure(task, scored, split, validation=validation, seed=seed)
    if len(scored) and scored.finite:
        evaluation.worst = worst_rows(scored, samples, indices, restored.preprocessing.columns_used)
    return evaluation


def measure(
    task: Task, scored: ScoredRows, split: str, *, validation: Evaluation | None = None, seed: int = 0
) -> Evaluation:
    """The evaluation of targets and outputs alone: all but the worst rows and the importance of columns.

    Args:
        task: what was to be learned.
        scored: targets and outputs of the rows measured.
        split: what they are called.
        validation: the evaluation of the validation rows, for the thresholds that were chosen on them; for
            the split `val` they are chosen on the rows measured.
        seed: of the bootstrap.
    """
    evaluation = Evaluation(split, len(scored), task.to_json(), with_intervals(scored, seed))
    if not len(scored) or not scored.finite:
        evaluation.notes.append(_nothing(scored))
        return evaluation
    if task.kind == "regression":
        evaluation.residuals = residuals(scored, seed)
        return evaluation
    evaluation.per_class = _per_class(scored)
    evaluation.curves = curves(scored)
    if len(task.classes) > CLASSES:
        evaluation.notes.append(f"Curves are kept for the first {CLASSES} of {len(task.classes)} classes.")
    if task.is_classification:
        evaluation.confusion = _confusion(scored)
        evaluation.calibration = calibration(scored)
    if task.kind == "binary":
        evaluation.threshold = thresholds(scored, _chosen(scored, split, validation))
    absent = [each["class"] for each in evaluation.per_class if not each["support"]]
    if absent:
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        evaluation.notes.append(f"No row of {shown}: metrics that rank rows class by class are undefined.")
    return evaluation


def _chosen(scored: ScoredRows, split: str, validation: Evaluation | None) -> dict[str, float]:
    """Thresholds by name that were chosen on validation rows; test rows choose nothing."""
    if split == "val":
        return best_thresholds(scored)
    choices = [] if validation is None or validation.threshold is None else validation.threshold["choices"]
    return {each["name"]: each["threshold"] for each in choices if each["name"] != "default"}


def _nothing(scored: ScoredRows) -> str:
    if not len(scored):
        return "There are no rows to measure."
    bad = int((~np.isfinite(scored.outputs).all(axis=1)).sum())
    return f"{bad} of {len(scored)} rows have outputs that are NaN or infinite, so that no metric is defined."


def _per_class(scored: ScoredRows) -> list[dict[str, Any]]:
    right, support, said = (
        counts[0] for counts in Draws(scored, np.ones((1, len(scored))), resampled=False).counts
    )
    return [
        {
            "class": name,
            "precision": float(right[i] / said[i]) if said[i] else 0.0,
            "recall": float(right[i] / support[i]) if support[i] else 0.0,
            "f1": float(2.0 * right[i] / (support[i] + said[i])) if support[i] + said[i] else 0.0,
            "support": int(support[i]),
            "predicted": int(said[i]),
        }
        for i, name in enumerate(scored.task.classes)
    ]


def _confusion(scored: ScoredRows) -> list[list[int]]:
    classes = len(scored.task.classes)
    cells = np.bincount(scored.targets * classes + scored.predicted, minlength=classes * classes)
    confusion: list[list[int]] = cells.reshape(classes, classes).tolist()
    return confusion
