"""Which number decides which epoch is best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchstone.errors import ConfigError, TrainingError, did_you_mean
from torchstone.training.objective import Objective
from torchstone.training.settings import Settings


def choose_monitor(
    settings: Settings, directions: Mapping[str, bool], has_val: bool, objective: Objective
) -> tuple[str | None, bool]:
    """The monitored key of the history and whether higher is better.

    A metric may be named with or without `val_`. Without validation samples nothing is monitored, unless
    asked for.

    Raises:
        ConfigError: no such key; names the known ones.
    """
    name = settings.monitor
    known = {"train_loss": False}
    if has_val:
        known = {"val_loss": False, **{f"val_{key}": up for key, up in directions.items()}, **known}
    key = next((candidate for candidate in (name, f"val_{name}") if candidate in known), None)
    if key is not None:
        return key, known[key] if settings.mode is None else settings.mode == "max"
    if not has_val and name == "val_loss" and not settings.patience:
        return None, False
    if objective.step is not None and settings.mode is not None and name.startswith(("val_", "train_")):
        return name, settings.mode == "max"  # a number that the user's own step returns
    if not has_val and (name == "val_loss" or name.removeprefix("val_") in directions):
        raise ConfigError(
            f"monitor: {name} needs validation samples, and there are none.",
            hint='Give val=, or set monitor="train_loss".',
        )
    names = [key if key == "val_loss" else key.removeprefix("val_") for key in known]
    raise ConfigError(
        f'monitor: "{name}" is not known. {did_you_mean(name, [*names, *known])}'.strip(),
        hint=f"Known: {', '.join(names)}.",
    )


def monitored(record: Mapping[str, Any], monitor: str | None, settings: Settings) -> float | None:
    """The monitored value of an epoch; None when nothing is monitored.

    Raises:
        TrainingError: early stopping waits for a number that the user's own step does not return.
    """
    if monitor is None:
        return None
    value = record.get(monitor)
    if value is None and (settings.patience or monitor not in ("val_loss", "train_loss")):
        numbers = ", ".join(key for key in record if key.startswith(("train_", "val_")))
        raise TrainingError(
            f'monitor: the step returned no "{monitor}".', hint=f"Known after this epoch: {numbers}."
        )
    return None if value is None else float(value)
