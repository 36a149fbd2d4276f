"""The metrics of a task as the loop computes them after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from torchstone import metrics
from torchstone.evaluation.evaluate import to_units
from torchstone.evaluation.restore import Restored
from torchstone.task import Task, TaskKind

_SHOWN: dict[TaskKind, tuple[str, ...]] = {
    "binary": ("accuracy", "roc_auc"),
    "multiclass": ("accuracy", "f1_macro"),
    "multilabel": ("f1_macro", "roc_auc"),
    "regression": ("rmse", "r2"),
}
"""What is computed after every epoch, besides what is monitored."""


def directions(task: Task) -> dict[str, bool]:
    """For each metric that can be monitored whether higher is better."""
    return {key: metrics.METRICS[key].higher_is_better for key in metrics.known(task)}


def mode(task: Task, monitor: str) -> Literal["min", "max"]:
    """Which way the monitored number gets better, for a scheduler that follows it."""
    return "max" if directions(task).get(monitor.removeprefix("val_")) else "min"


def epoch_metrics(restored: Restored, monitor: str) -> Callable[[Tensor, Tensor], dict[str, float]]:
    """A function from all validation outputs and targets to metrics, in the target's own unit.

    Args:
        restored: the model's task, target scaling and kind of outputs.
        monitor: what decides which epoch is best.
    """
    task = restored.task
    monitored = monitor.removeprefix("val_")
    keys = list(dict.fromkeys([*_SHOWN[task.kind], *({monitored} & set(metrics.known(task)))]))

    def compute(outputs: Tensor, targets: Tensor) -> dict[str, float]:
        if task.kind == "regression":
            values = restored.target_scaling.unscale(targets.double()).numpy()
        else:
            values = targets.numpy()
            if task.is_classification:
                values = values.reshape(len(values)).astype("int64")
        return metrics.compute(task, values, to_units(restored, outputs), keys)

    return compute
