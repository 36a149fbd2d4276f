"""The objects that `ts.fit` was given, looked at before anything is done with them."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from torchstone.data.batches import Batches
from torchstone.errors import ConfigError, DataError, did_you_mean
from torchstone.training.objective import Objective
from torchstone.training.randomness import random_states, set_random_states

if TYPE_CHECKING:
    from torchstone.flow.request import FitArguments

_MOMENTS = ("on_start", "on_step", "on_log", "on_epoch_end", "on_end")


def check_objects(arguments: FitArguments) -> None:
    """Refuses what is of the wrong kind.

    Raises:
        ConfigError: names the argument, what it is and what to give.
    """
    _check_net(arguments.net)
    _check_loss(arguments.loss)
    if arguments.step is not None:
        _check_step(arguments.step)
    size: Any = arguments.batch_size
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise ConfigError(f"batch_size: expected None or a whole number of at least 1, got {size!r}.")
    if arguments.out is not None and not isinstance(arguments.out, str | os.PathLike):
        raise ConfigError(f"out: expected a folder, got {_seen(arguments.out)}.")
    monitor: Any = arguments.monitor
    if not isinstance(monitor, str):
        raise ConfigError(f'monitor: expected a name such as "val_loss", got {_seen(monitor)}.')
    _check_metrics(arguments.metrics)
    if arguments.step is not None and arguments.metrics:
        raise ConfigError(
            "metrics: they are functions of the module's outputs, which a step of your own does not give.",
            hint="Return the numbers from step: a dictionary is logged as train_<key> and val_<key>.",
        )
    check_callbacks(arguments.callbacks)
    _check_scheduler(arguments.scheduler)


def check_validation(val: Batches | None) -> None:
    """Refuses validation data that gives no batch, where its length does not tell that it does.

    Raises:
        DataError: it is empty.
    """
    if val is None or (val.samples and val.steps):
        return
    states = random_states()  # a loader's own sampler draws from them
    first = next(iter(val.epoch(0)), None)
    set_random_states(states)
    if first is None:
        raise DataError("The validation data gave no batch.", hint="Check that it has samples.")


def check_labels(targets: Tensor | None, objective: Objective, what: str) -> None:
    """Refuses data none of whose labels counts.

    Raises:
        DataError: all targets are the loss's `ignore_index`.
    """
    if targets is None or objective.step is not None or not objective.counted or targets.is_floating_point():
        return
    if bool((targets == objective.ignore_index).all()):
        raise DataError(
            f"All {len(targets)} {what} targets are {objective.ignore_index}, which the loss ignores: "
            "nothing can be learned or measured.",
            hint="Give labels, or another ignore_index to the loss.",
        )


def _check_net(net: Any) -> None:
    if isinstance(net, nn.Module):
        return
    if isinstance(net, type):
        raise ConfigError(
            f"net: {net.__name__} is a class, expected a module.",
            hint=f"Give an instance: {net.__name__}(...).",
        )
    raise ConfigError(
        f"net: expected a module, got {_seen(net)}.", hint="Give an instance of torch.nn.Module."
    )


def _check_loss(loss: Any) -> None:
    if isinstance(loss, type) and issubclass(loss, nn.Module):
        name = str(loss.__name__)
        name = f"nn.{name}" if getattr(nn, name, None) is loss else name
        raise ConfigError(
            f"loss: {name} is a class, expected a function of outputs and targets.",
            hint=f"Give an instance: {name}().",
        )
    if loss is None:
        return
    if callable(loss):
        _check_loss_call(loss)
        return
    losses = [name for name in vars(nn) if name.endswith("Loss")]
    near = next((name for name in losses if isinstance(loss, str) and name.lower() == loss.lower()), None)
    raise ConfigError(
        f"loss: expected a function of outputs and targets, got {_seen(loss)}.",
        hint=f"Give nn.{near}()." if near else "For example nn.CrossEntropyLoss().",
    )


def _check_step(step: Any) -> None:
    hint = "Give step(net, batch, context)."
    if not callable(step):
        raise ConfigError(f"step: expected a function, got {_seen(step)}.", hint=hint)
    if not _takes(step, 3):
        raise ConfigError(f"step: {_name(step)} cannot be called with net, batch and context.", hint=hint)


def _check_loss_call(loss: Any) -> None:
    """Refuses a function that cannot be called as the loop calls it."""
    if isinstance(loss, nn.Module):
        return
    if isinstance(loss, functools.partial) and inspect.isroutine(loss.func):
        known = _keywords(loss.func)
        unknown = [name for name in loss.keywords if known is not None and name not in known]
        if unknown:
            near = did_you_mean(unknown[0], known or ())
            raise ConfigError(f'loss: {_name(loss.func)} has no argument "{unknown[0]}". {near}'.strip())
    if not _takes(loss, 2):
        raise ConfigError(
            f"loss: {_name(loss)} cannot be called with outputs and targets.",
            hint="Give a function of both: loss(outputs, targets).",
        )


def _takes(function: Any, count: int) -> bool:
    """Whether a function can be called with so many arguments; yes where nobody can tell."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # built-in callables have none
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _keywords(function: Any) -> list[str] | None:
    """The arguments of a function by name; None where it takes any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
        return None
    return [one.name for one in parameters]


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _check_metrics(metrics: Any) -> None:
    if metrics is None or isinstance(metrics, str):
        return
    if isinstance(metrics, Mapping):
        for name, function in metrics.items():
            if not isinstance(name, str) or not callable(function):
                raise ConfigError(
                    f"metrics: expected functions by name, got {_seen(function)} for {name!r}.",
                    hint="For example metrics={'mean': lambda outputs, targets: ...}.",
                )
            if not _takes(function, 2):
                raise ConfigError(
                    f"metrics: {name!r} cannot be called with outputs and targets.",
                    hint="Give a function of both: metrics={'name': lambda outputs, targets: ...}.",
                )
            if name == "loss":
                raise ConfigError(
                    'metrics: "loss" is the name of the validation loss itself, which it would replace.',
                    hint="Give the metric another name.",
                )
        return
    wrong = metrics if not isinstance(metrics, Iterable) else None
    if isinstance(metrics, Collection):
        wrong = next((name for name in metrics if not isinstance(name, str)), None)
    if wrong is not None:
        raise ConfigError(
            f"metrics: expected names, got {_seen(wrong)}.",
            hint="Functions of your own go in a dictionary: metrics={'name': function}.",
        )


def check_callbacks(callbacks: Any) -> None:
    """Refuses what is no list of callbacks.

    Raises:
        ConfigError: names what it is and what to give.
    """
    if not isinstance(callbacks, Sequence) or isinstance(callbacks, str):
        raise ConfigError(
            f"callbacks: expected a list of callbacks, got {_seen(callbacks)}.",
            hint="Give them in a list: callbacks=[callback].",
        )
    for callback in callbacks:
        if isinstance(callback, type):
            raise ConfigError(
                f"callbacks: {callback.__name__} is a class, expected a callback.",
                hint=f"Give an instance: {callback.__name__}().",
            )
        if not all(hasattr(callback, moment) for moment in _MOMENTS):
            raise ConfigError(
                f"callbacks: expected callbacks, got {_seen(callback)}.",
                hint="Derive its class from torchstone.Callback.",
            )


def _check_scheduler(scheduler: Any) -> None:
    for given in scheduler.values() if isinstance(scheduler, Mapping) else (scheduler,):
        if given is None or callable(given) or hasattr(given, "step"):
            continue
        known = {"cosine": "CosineAnnealingLR", "onecycle": "OneCycleLR"}
        classes = [name for name in vars(torch.optim.lr_scheduler) if name.endswith(("LR", "Restarts"))]
        word = str(given)
        near = known.get(word.lower(), word if word in classes else "CosineAnnealingLR")
        length = "T_max=epochs" if near == "CosineAnnealingLR" else "..."
        raise ConfigError(
            f"scheduler: expected a scheduler or a function of the optimizer, got {_seen(given)}. "
            f"{did_you_mean(word, classes) if near != word and word.lower() not in known else ''}".strip(),
            hint="For example scheduler=lambda optimizer: "
            f"torch.optim.lr_scheduler.{near}(optimizer, {length}).",
        )


def _seen(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, str | int | float | bool) or value is None:
        return repr(value)
    return f"a {type(value).__name__}" if not isinstance(value, type) else f"the class {value.__name__}"


def one_number(name: str, value: Any) -> float:
    """What a metric of the user's returned, as a number.

    Raises:
        ConfigError: it is none; names the metric and what it returned.
    """
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
        return float(value.detach())
    is_number = isinstance(value, int | float | np.number | np.bool_ | np.ndarray)
    if is_number and (not isinstance(value, np.ndarray) or (value.size == 1 and value.dtype.kind in "biuf")):
        return float(value.item()) if isinstance(value, np.ndarray) else float(value)
    shape = getattr(value, "shape", None)
    seen = _seen(value) if shape is None else f"{_seen(value)} of shape {tuple(shape)}"
    raise ConfigError(
        f'metrics: "{name}" returned {seen}, expected one number.',
        hint="Return a number or a tensor with one element; give several numbers as several metrics.",
    )
