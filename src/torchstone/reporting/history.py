"""The history of a run, one record per epoch, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Records = Sequence[Mapping[str, Any]]


def epochs(history: Records) -> list[int]:
    """The numbers of the epochs, counted from 1."""
    return [int(record.get("epoch") or place) for place, record in enumerate(history, start=1)]


def column(history: Records, key: str) -> list[Any]:
    """One value per epoch, None where it is missing."""
    return [record.get(key) for record in history]


def at_epoch(history: Records, epoch: int) -> Mapping[str, Any]:
    """The record of an epoch, empty where there is none."""
    return next((r for number, r in zip(epochs(history), history, strict=True) if number == epoch), {})


def monitor_key(monitor: str) -> str:
    """The key of the history that a monitor names; `accuracy` is `val_accuracy`."""
    return monitor if monitor.startswith(("val_", "train_")) else f"val_{monitor}"


def loss_lines(history: Records) -> list[tuple[str, str]]:
    """Label and key of each loss: training and validation, or what the user's own step returns."""
    known = {key for record in history for key in record}
    usual = [(n, k) for n, k in (("training", "train_loss"), ("validation", "val_loss")) if k in known]
    own = dict.fromkeys(key for record in history for key in record if key.startswith("train_"))
    return usual or [(key.removeprefix("train_"), key) for key in own]


def metric_keys(history: Records) -> list[str]:
    """The validation metrics of a history, without the loss."""
    keys = dict.fromkeys(key for record in history for key in record)
    return [key for key in keys if key.startswith("val_") and key != "val_loss"]
