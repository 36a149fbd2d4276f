"""The metrics: their keys, which task knows which, and their values, equal to scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from torchstone.errors import ConfigError, did_you_mean
from torchstone.metrics import classification, regression
from torchstone.metrics.rows import Array, Draws, ScoredRows
from torchstone.task import Task

__all__ = ["METRICS", "Metric", "ScoredRows", "compute", "compute_draws", "known", "main_metric"]

_ONE_CLASS = ("binary", "multiclass")
_ALL_CLASSES = ("binary", "multiclass", "multilabel")


@dataclass(frozen=True)
class Metric:
    """A number that says how good predictions are.

    Args:
        key: its name in commands and files.
        label: its name for a person.
        tasks: the kinds of tasks that know it.
        higher_is_better: which way is good.
        compute: takes `Draws` and gives float64 (D,).
        low: the least value that it can have.
        high: the greatest value that it can have.
        grows_resampled: whether rows that are drawn twice make it larger, so that a bootstrap is biased.
    """

    key: str
    label: str
    tasks: tuple[str, ...]
    higher_is_better: bool
    compute: Callable[[Draws], Array]
    low: float = 0.0
    high: float = 1.0
    grows_resampled: bool = False


def _averaged() -> list[Metric]:
    families = [
        ("precision", "Precision", classification.precision),
        ("recall", "Recall", classification.recall),
        ("f1", "F1", classification.f1),
    ]
    averages: tuple[classification.Average, ...] = ("macro", "micro", "weighted")
    positive = [Metric(key, label, ("binary",), True, family("positive")) for key, label, family in families]
    return positive + [
        Metric(f"{key}_{average}", f"{label} ({average})", _ALL_CLASSES, True, family(average))
        for average in averages
        for key, label, family in families
    ]


_IN_ORDER = [
    Metric("accuracy", "Accuracy", _ONE_CLASS, True, classification.accuracy),
    Metric("balanced_accuracy", "Balanced accuracy", _ONE_CLASS, True, classification.balanced_accuracy),
    Metric("subset_accuracy", "Subset accuracy", ("multilabel",), True, classification.subset_accuracy),
    Metric("hamming_loss", "Hamming loss", ("multilabel",), False, classification.hamming_loss),
    *_averaged(),
    Metric("roc_auc", "ROC AUC", _ALL_CLASSES, True, classification.roc_auc),
    Metric("average_precision", "Average precision", _ALL_CLASSES, True, classification.average_precision),
    Metric("log_loss", "Log loss", _ALL_CLASSES, False, classification.log_loss, high=np.inf),
    Metric("brier", "Brier score", _ONE_CLASS, False, classification.brier, high=2.0),
    Metric(
        "ece",
        "Expected calibration error",
        _ONE_CLASS,
        False,
        classification.expected_calibration_error,
        grows_resampled=True,
    ),
    Metric(
        "matthews_corrcoef",
        "Matthews correlation",
        _ONE_CLASS,
        True,
        classification.matthews_corrcoef,
        low=-1.0,
    ),
    Metric("rmse", "RMSE", ("regression",), False, regression.root_mean_squared_error, high=np.inf),
    Metric("mae", "MAE", ("regression",), False, regression.mean_absolute_error, high=np.inf),
    Metric("r2", "R²", ("regression",), True, regression.r2, low=-np.inf),
    Metric(
        "median_absolute_error",
        "Median absolute error",
        ("regression",),
        False,
        regression.median_absolute_error,
        high=np.inf,
    ),
]

METRICS: dict[str, Metric] = {metric.key: metric for metric in _IN_ORDER}
"""All metrics by key, in the order of a report."""

_MAIN = {"binary": "roc_auc", "multiclass": "log_loss", "multilabel": "roc_auc", "regression": "r2"}


def known(task: Task) -> list[str]:
    """The keys of the metrics that a task knows, in the order of a report."""
    return [key for key, metric in METRICS.items() if task.kind in metric.tasks]


def main_metric(task: Task) -> str:
    """The one number that stands for how good a model is at a task."""
    return _MAIN[task.kind]


def compute(
    task: Task,
    targets: Array,
    outputs: Array,
    keys: Iterable[str] | None = None,
    weights: Array | None = None,
    threshold: float = 0.5,
) -> dict[str, float]:
    """The values of metrics.

    Args:
        task: what was to be learned.
        targets: class indices (N,), 0/1 labels (N, L), or numbers (N, T) or (N,).
        outputs: probabilities (N, classes), (N,) for the positive class alone, (N, L) for labels; numbers.
        keys: which metrics; all that the task knows by default.
        weights: one weight per row, (N,); 1 by default.
        threshold: a probability above it counts as a yes, for binary and multilabel.

    Returns:
        key to value; NaN where it is not defined: no rows, an output that is not finite, or only one class
        for what ranks rows.

    Raises:
        ConfigError: the task does not know a metric.
    """
    rows = ScoredRows(task, targets, outputs, threshold)
    each = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64).reshape(-1)
    values = _values(Draws(rows, each[None], resampled=False), keys)
    return {key: float(value[0]) for key, value in values.items()}


def compute_draws(rows: ScoredRows, weights: Array, keys: Iterable[str] | None = None) -> dict[str, Array]:
    """The values of metrics for many draws of the rows, as a bootstrap needs them.

    Args:
        rows: targets and outputs.
        weights: how often each draw holds each row, (D, N).
        keys: which metrics; all that the task knows by default.

    Returns:
        key to float64 (D,), NaN where a draw leaves a metric undefined.

    Raises:
        ConfigError: the task does not know a metric.
    """
    return _values(Draws(rows, np.asarray(weights, dtype=np.float64), resampled=True), keys)


def _values(draws: Draws, keys: Iterable[str] | None) -> dict[str, Array]:
    task = draws.rows.task
    names = known(task)
    wanted = names if keys is None else list(keys)
    for key in wanted:
        if key not in names:
            raise ConfigError(
                f'A {task.kind} task has no metric "{key}"; it has: {", ".join(names)}.',
                hint=did_you_mean(key, names) or None,
            )
    empty = not len(draws.rows) or not draws.rows.finite
    nothing = draws.total <= 0
    if empty or nothing.all():
        return {key: np.full(len(draws.weights), np.nan) for key in wanted}
    with np.errstate(divide="ignore", invalid="ignore"):
        return {key: np.where(nothing, np.nan, METRICS[key].compute(draws)) for key in wanted}
