"""Builds a model by its name, or from a class of the user's own, and knows which names there are.

A family is a module beside this one with a docstring (its first line is the description), and

- `build(task, spec, outputs, **arguments) -> nn.Module`,
- `RECIPE`, how it is trained unless asked otherwise: keys of `torchstone.config.TrainingConfig`,
- `accepts(spec) -> str | None`, why it cannot take such inputs, None when it can,
- where the recipe depends on the data, `recipe(task, rows) -> dict` with what differs from `RECIPE`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from torchstone import models
from torchstone.errors import ModelError, did_you_mean
from torchstone.models._user_class import call, load_class, running
from torchstone.task import InputSpec, Task

__all__ = [
    "absolute_name",
    "build_model",
    "build_own",
    "default_model",
    "families",
    "family",
    "is_user_class",
    "list_models",
    "load_class",
    "recipe",
    "running",
]


def families() -> list[str]:
    """The names of the models, in the order of the alphabet."""
    found = (module.name for module in pkgutil.iter_modules(models.__path__))
    return sorted(name for name in found if name != "build" and not name.startswith("_"))


def family(name: str) -> ModuleType:
    """The module of a model family.

    Raises:
        ModelError: there is no model of that name; the nearest is offered.
    """
    known = families()
    if name not in known:
        raise ModelError(
            f'There is no model called "{name}".',
            hint=f"{did_you_mean(name, known)} The models are {', '.join(known)}; "
            "a class of your own is file.py:Class.".strip(),
        )
    return importlib.import_module(f"torchstone.models.{name}")


def is_user_class(name: str) -> bool:
    """Whether a model's name points into a file of the user's own (`file.py:Class`)."""
    return ".py" in name or ":" in name


def absolute_name(name: str) -> str:
    """The name that works from every folder: `file.py:Class` with the file's absolute path."""
    if not is_user_class(name):
        return name
    path, _, attribute = name.rpartition(":")
    return f"{Path(path).expanduser().resolve()}:{attribute}" if path else name


def recipe(name: str, task: Task | None = None, rows: int | None = None) -> dict[str, Any]:
    """How a model is trained unless asked otherwise: keys of the configuration's training section.

    Args:
        name: a model's name, or `file.py:Class` (which has no recipe: `{}`).
        task: what is to be learned.
        rows: the number of training rows; without it and `task` the part that fits all data.

    Raises:
        ModelError: there is no model of that name.
    """
    if is_user_class(name):
        return {}
    module = family(name)
    values: dict[str, Any] = dict(module.RECIPE)
    if task is not None and rows is not None and hasattr(module, "recipe"):
        values |= module.recipe(task, rows)
    return values


def default_model(spec: InputSpec, rows: int | None = None) -> str:
    """The model for inputs that none was asked for: `tabm` for tables, `convnet` for pictures, else `mlp`.

    Args:
        spec: what the model is fed with.
        rows: the number of training rows; the choice does not depend on it so far.
    """
    for name in ("tabm", "convnet"):
        if family(name).accepts(spec) is None:
            return name
    return "mlp"


def build_model(
    name: str, task: Task, spec: InputSpec, outputs: int, arguments: Mapping[str, Any] | None = None
) -> nn.Module:
    """A new module with random weights (torch's global generator).

    Args:
        name: a name that `list_models` gives, `auto`, or `file.py:Class`.
        task: what is to be learned.
        spec: what the model is fed with: float32 `(B, *spec.shape)`.
        outputs: how many numbers it gives for a sample: `(B, outputs)`.
        arguments: arguments of the model, such as `{"hidden": 256}`.

    Raises:
        ModelError: no model of that name, it does not take such inputs, an argument is unknown or refused, or
            the user's file or class cannot be used.
    """
    given = dict(arguments or {})
    if name == "auto":
        name = default_model(spec)
    if is_user_class(name):
        return call(load_class(name), name, task, spec, outputs, given)
    module = family(name)
    if reason := module.accepts(spec):
        raise ModelError(
            f'The model "{name}" cannot take these inputs: {reason}.',
            hint=f"Models that can: {', '.join(_that_accept(spec))}.",
        )
    _check_arguments(name, module, given)
    try:
        built: nn.Module = module.build(task, spec, outputs, **given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f'The model "{name}" refuses its arguments {given}: {error}', hint=_known_arguments(name, module)
        ) from error
    return built


def build_own(
    maker: Callable[..., Any],
    name: str,
    task: Task,
    spec: InputSpec,
    outputs: int,
    arguments: Mapping[str, Any] | None = None,
) -> nn.Module:
    """A new module from a class or function in memory, as `build_model` makes one of `file.py:Class`.

    Args:
        maker: is called with what its parameters ask for by name.
        name: `file.py:Class` for messages.
        task: what is to be learned.
        spec: what the model is fed with.
        outputs: how many numbers it gives for a sample.
        arguments: the user's own arguments.

    Raises:
        ModelError: an argument has no parameter, a parameter no value, or no module comes of it.
    """
    return call(maker, name, task, spec, outputs, dict(arguments or {}))


def list_models() -> list[dict[str, Any]]:
    """The models with description, arguments and parameter count for a reference input.

    Returns:
        For each model `{"name", "description", "input", "parameters", "arguments"}`: `input` is the reference
        in words, `parameters` the number of trainable numbers for it, `arguments` name to default.
    """
    return [_describe(name) for name in families()]


_TABLE = InputSpec(
    shape=(30,),
    numeric=10,
    categories=(8, 12),
    edges=tuple(tuple(step / 12 - 2 for step in range(49)) for _ in range(10)),
)
_PICTURE = InputSpec(shape=(1, 28, 28))
_REFERENCES = (
    ("28 x 28 grey picture, 10 classes", _PICTURE, Task("multiclass", ("label",), tuple("0123456789"))),
    ("10 numeric and 2 categorical columns, 2 classes", _TABLE, Task("binary", ("label",), ("no", "yes"))),
)
"""What parameter counts are stated for: the first that a model accepts."""


def _describe(name: str) -> dict[str, Any]:
    module = family(name)
    words, spec, task = next(item for item in _REFERENCES if module.accepts(item[1]) is None)
    with torch.random.fork_rng(devices=[]):
        built = module.build(task, spec, task.outputs)
    return {
        "name": name,
        "description": (module.__doc__ or "").strip().splitlines()[0],
        "input": words,
        "parameters": sum(parameter.numel() for parameter in built.parameters() if parameter.requires_grad),
        "arguments": _arguments(module),
    }


def _that_accept(spec: InputSpec) -> list[str]:
    return [name for name in families() if family(name).accepts(spec) is None]


def _arguments(module: ModuleType) -> dict[str, Any]:
    parameters = list(inspect.signature(module.build).parameters.values())[3:]
    return {parameter.name: parameter.default for parameter in parameters}


def _known_arguments(name: str, module: ModuleType) -> str:
    known = [f"{argument}={value}" for argument, value in _arguments(module).items()]
    return f"Arguments of {name}: {', '.join(known)}." if known else f"{name} takes no arguments."


def _check_arguments(name: str, module: ModuleType, given: dict[str, Any]) -> None:
    known = _arguments(module)
    if unknown := [argument for argument in given if argument not in known]:
        near = " ".join(filter(None, (did_you_mean(argument, known) for argument in unknown)))
        raise ModelError(
            f'The model "{name}" has no argument called {", ".join(unknown)}.',
            hint=f"{near} {_known_arguments(name, module)}".strip(),
        )
