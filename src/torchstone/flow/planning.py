"""What the configuration left open is decided here, before training: model, recipe, batch size."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from torchstone.config import TrainConfig
from torchstone.data.batches import choose_batch_size
from torchstone.models import build
from torchstone.task import InputSpec, Task
from torchstone.training.settings import Settings

_RECIPE: dict[str, Any] = {
    "epochs": 20,
    "optimizer": "adamw",
    "lr": 1e-3,
    "weight_decay": 0.01,
    "scheduler": "none",
    "patience": 10,
}
"""How a model without a recipe of its own is trained."""

_Value = TypeVar("_Value")


def resolve(config: TrainConfig, task: Task, spec: InputSpec, train_rows: int) -> TrainConfig:
    """The configuration with nothing left open; what was asked for stays as it is.

    Args:
        config: what was asked.
        task: what is to be learned.
        spec: what a model is fed with.
        train_rows: the number of training rows.

    Raises:
        ModelError: there is no model of that name.
    """
    name = config.model.model
    name = build.default_model(spec, train_rows) if name == "auto" else build.absolute_name(name)
    asked = config.training.model_dump(exclude_unset=True, exclude_none=True)
    recipe = build.recipe(name, task, train_rows)
    if asked.get("patience") or "monitor" in asked:
        recipe.pop("keep", None)  # who asks for a best epoch gets it
    training = {**_RECIPE, **recipe, **asked}
    if training.get("batch_size") is None:
        training["batch_size"] = choose_batch_size(train_rows)
    values = config.model_dump(exclude_unset=True)
    values["training"] = training
    values["model"] = {**values.get("model", {}), "model": name}
    return TrainConfig.model_validate(values)


def settings(config: TrainConfig, *, has_validation: bool) -> Settings:
    """The numbers of the loop. Without validation rows nothing is monitored unless it was asked for."""
    values = {key: value for key, value in config.training.model_dump().items() if key in Settings.names()}
    if not has_validation and config.training.monitor == "val_loss":
        values["patience"] = None
    return Settings(**values)


def has_batch_statistics(module: nn.Module) -> bool:
    """Whether a part of the module computes statistics over the batch, for which one sample is too few."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())


def known(value: _Value | None) -> _Value:
    """A value that `resolve` has filled in."""
    if value is None:
        raise ValueError("the configuration is not resolved")
    return value


def absolute(source: Any, config: TrainConfig) -> TrainConfig:
    """The configuration with its files as absolute paths, so that the run is found from every folder.

    Args:
        source: what the user gave as data; objects in memory have no path and give an empty source.
        config: its `test`, `val` and `root` are made absolute too.
    """
    given = source if isinstance(source, list) else [source]
    paths = [_absolute(str(item)) for item in given if isinstance(item, str | Path)]
    made = config.model_copy(deep=True)
    made.source = paths if len(paths) == len(given) else []
    for key in ("test", "val", "root"):
        if (value := getattr(made.data, key)) is not None:
            setattr(made.data, key, _absolute(value))
    return made


def _absolute(name: str) -> str:
    """A file or a glob as an absolute path; a built-in name as it is."""
    path = Path(name).expanduser()
    is_glob = any(mark in name for mark in "*?[")
    return str(Path.cwd() / path) if is_glob or path.exists() else name


def name_hint(data_name: str, config: TrainConfig) -> str:
    """What a run directory is called by default: data and model."""
    model = config.model.model
    return f"{Path(data_name).stem}-{model.rpartition(':')[2] if build.is_user_class(model) else model}"
