"""Learning rate schedules by name, each moved at its own period, and a warm-up before any of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from torchstone.errors import ConfigError
from torchstone.training.named import BAD_VALUE, argument_names, check_arguments, find_class, refused

Period = Literal["step", "epoch", "metric"]

_PER_STEP = ("OneCycleLR", "CyclicLR")
"""Schedules that are meant to move after every step; all others move after every epoch."""

_COMPOSED = ("LRScheduler", "_LRScheduler", "SequentialLR", "ChainedScheduler")
"""Not schedules by themselves: they take scheduler objects."""

_LENGTH = {"CosineAnnealingLR": "T_max", "PolynomialLR": "total_iters"}
"""The argument that says how long the schedule is; given when the user does not: the whole training."""

_OF_LENGTH = ("T_max", "total_iters", "total_steps", "_schedule_phases")
"""What a scheduler remembers of its length; a resumed training may have become longer."""


class Schedule:
    """A scheduler, when it moves, and a linear warm-up in front of it.

    While warming up the learning rates are those of the scheduler times a factor that rises to 1; a
    scheduler that moves per step waits until the warm-up is over.

    Args:
        scheduler: any of torch.optim.lr_scheduler, or an object with `step`, `state_dict` and
            `load_state_dict`; None for a warm-up alone.
        per: `step`, `epoch`, or `metric` (after each epoch, with the monitored value). Default: what suits
            the scheduler's class.
        optimizer: whose learning rates warm up; default: the scheduler's.
        warmup_steps: optimizer steps of the warm-up.
    """

    def __init__(
        self,
        scheduler: Any,
        per: Period | None = None,
        *,
        optimizer: Optimizer | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.scheduler = scheduler
        self.per: Period = per or period_of(type(scheduler))
        self.optimizer: Optimizer = optimizer if optimizer is not None else scheduler.optimizer
        self.warmup_steps = warmup_steps
        self.steps = 0
        self._targets = self._rates()
        if warmup_steps:
            self._scale()

    def after_step(self) -> None:
        """Moves on after an optimizer step."""
        warming = self.steps < self.warmup_steps
        self.steps += 1
        if warming:
            self._scale()
        elif self.per == "step" and self.scheduler is not None and not _is_over(self.scheduler):
            self.scheduler.step()

    def after_epoch(self, value: float | None) -> None:
        """Moves on after an epoch, with its monitored value."""
        if self.scheduler is None or self.per == "step":
            return
        warming = self.steps < self.warmup_steps
        if warming:
            self._set(self._targets)
        if self.per == "epoch":
            self.scheduler.step()
        elif value is not None:
            self.scheduler.step(value)
        if warming:
            self._targets = self._rates()
            self._scale()

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule is; constants and functions, which the next process makes anew, are left out."""
        inner = None if self.scheduler is None else _plain(self.scheduler.state_dict())
        return {"scheduler": inner, "steps": self.steps, "targets": list(self._targets)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`, to be called when the optimizer has its state, which has the rates.

        A schedule that is now of another length goes on as if it had always been.
        """
        self.steps, self._targets = state["steps"], list(state["targets"])
        if self.scheduler is None:
            return
        saved, own = dict(state["scheduler"]), vars(self.scheduler)
        same = all(saved.get(key, own[key]) == own[key] for key in _OF_LENGTH[:-1] if key in own)
        kept = {key: value for key, value in saved.items() if same or key not in _OF_LENGTH}
        self.scheduler.load_state_dict(kept)
        if not same and (rates := _rates_now(self.scheduler)):
            self._targets = rates
            self._set(rates)
            if self.steps < self.warmup_steps:
                self._scale()

    def _rates(self) -> list[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def _set(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def _scale(self) -> None:
        factor = min(1.0, (self.steps + 1) / (self.warmup_steps + 1))
        self._set([rate * factor for rate in self._targets])


def _is_over(scheduler: Any) -> bool:
    """Whether a schedule has an end and is there: OneCycleLR refuses to go on, and its last rate stays."""
    total = getattr(scheduler, "total_steps", None)
    return isinstance(total, int) and scheduler.last_epoch >= total


def _rates_now(scheduler: Any) -> list[float]:
    """What the rates are at the scheduler's place, for those that know it without the rates before."""
    if isinstance(scheduler, lr_scheduler.OneCycleLR):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch expects the call within step()
            return [float(rate) for rate in scheduler.get_lr()]
    closed = getattr(scheduler, "_get_closed_form_lr", None)
    return [float(rate) for rate in closed()] if closed is not None else []


def known_schedules() -> dict[str, Any]:
    """The schedules by name: those of torch.optim.lr_scheduler, and `cosine`, `onecycle`, `none`."""
    classes = {
        name: value
        for name, value in vars(lr_scheduler).items()
        if isinstance(value, type) and issubclass(value, LRScheduler) and name not in _COMPOSED
    }
    return {
        **classes,
        "cosine": lr_scheduler.CosineAnnealingLR,
        "onecycle": lr_scheduler.OneCycleLR,
        "none": None,
    }


def period_of(kind: type) -> Period:
    """When a scheduler of this class is meant to move."""
    if issubclass(kind, lr_scheduler.ReduceLROnPlateau):
        return "metric"
    return "step" if kind.__name__ in _PER_STEP else "epoch"


def build_schedule(
    name: str | None,
    optimizer: Optimizer,
    *,
    steps_per_epoch: int | None,
    epochs: int,
    warmup: float = 0.0,
    arguments: Mapping[str, Any] | None = None,
    mode: Literal["min", "max"] = "min",
) -> Schedule | None:
    """A schedule over an optimizer's learning rates.

    Args:
        name: `cosine` (per step to zero over the whole training), `onecycle`, `none`, or a class of
            torch.optim.lr_scheduler in any case. OneCycleLR and CyclicLR move per step, ReduceLROnPlateau on
            the monitored value, all others per epoch; `per` among the arguments overrides.
        optimizer: whose learning rates are moved.
        steps_per_epoch: optimizer steps in an epoch; None when unknown.
        epochs: epochs at most.
        warmup: epochs over which the rates rise linearly from near zero; for `onecycle` its rising part.
        arguments: further arguments of the class; its length (`T_max`, `total_steps` ...) is the training's
            unless given.
        mode: for ReduceLROnPlateau: the direction of the monitored value.

    Returns:
        The schedule, None for `none` without warm-up.

    Raises:
        ConfigError: unknown class, unknown or missing arguments, values that the class refuses.
    """
    given = dict(arguments or {})
    per: Any = given.pop("per", None)
    if per not in (None, "step", "epoch", "metric"):
        raise ConfigError(f'scheduler_arguments: per is step, epoch or metric, got "{per}".')
    known_names = known_schedules()
    del known_names["none"]
    if name is None or str(name).lower() == "none":
        if given:
            raise ConfigError("scheduler_arguments: given, but scheduler is none.")
        return _warmup_alone(optimizer, steps_per_epoch, warmup)
    kind = find_class("scheduler", name, known_names, "torch.optim.lr_scheduler")
    per = per or ("step" if str(name).lower() == "cosine" else period_of(kind))
    known = [*argument_names(kind, without=("optimizer", "last_epoch", "verbose")), "per"]
    keywords = check_arguments("scheduler_arguments", kind, given, known)
    one_cycle = issubclass(kind, lr_scheduler.OneCycleLR)
    warmup_steps = 0 if one_cycle else _steps(warmup, steps_per_epoch)
    if one_cycle:
        _complete_one_cycle(keywords, optimizer, steps_per_epoch, epochs, warmup)
    elif (length := _LENGTH.get(kind.__name__)) and length not in keywords:
        per_epoch = 1 if per != "step" else _known(steps_per_epoch, f"{kind.__name__} per step")
        keywords[length] = max(1, epochs * per_epoch - (warmup_steps if per == "step" else 0))
    if issubclass(kind, lr_scheduler.ReduceLROnPlateau):
        keywords.setdefault("mode", mode)
    try:
        scheduler = kind(optimizer, **keywords)
        _try(kind, optimizer, keywords)
    except BAD_VALUE as error:
        raise refused("scheduler", kind, keywords, error) from error
    return Schedule(scheduler, per, optimizer=optimizer, warmup_steps=warmup_steps)


def _try(kind: Any, optimizer: Optimizer, keywords: dict[str, Any]) -> None:
    """Moves a schedule of the same arguments twice and to its end: torch looks at some of them only then."""
    groups = [{"params": [torch.zeros(1)], "lr": float(group["lr"])} for group in optimizer.param_groups]
    trial = kind(torch.optim.SGD(groups, momentum=0.9), **keywords)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no optimizer has stepped here
        _move(trial)
        _move(trial)
        if isinstance(trial, lr_scheduler.OneCycleLR):
            trial.last_epoch = max(trial.last_epoch, trial.total_steps - 1)
            _move(trial)


def _move(trial: Any) -> None:
    if _is_over(trial):
        return
    trial.step(0.0) if isinstance(trial, lr_scheduler.ReduceLROnPlateau) else trial.step()
    if not all(math.isfinite(float(group["lr"])) for group in trial.optimizer.param_groups):
        raise ValueError("the learning rate would not be a finite number")


def _complete_one_cycle(
    keywords: dict[str, Any], optimizer: Optimizer, steps_per_epoch: int | None, epochs: int, warmup: float
) -> None:
    """Fills in what one cycle over the whole training needs and the user left open."""
    keywords.setdefault("max_lr", [float(group["lr"]) for group in optimizer.param_groups])
    if "total_steps" not in keywords and not {"epochs", "steps_per_epoch"} <= keywords.keys():
        keywords.pop("epochs", None)
        keywords.pop("steps_per_epoch", None)
        keywords["total_steps"] = epochs * _known(steps_per_epoch, "OneCycleLR")
    if warmup and "pct_start" not in keywords:
        if warmup >= epochs:
            raise ConfigError(
                "warmup: onecycle falls again after its warm-up, so that this must be shorter than the "
                f"training of {epochs} epochs, got {warmup:g}.",
                hint="Lower warmup, or train for more epochs.",
            )
        share = warmup / epochs
        total = keywords.get("total_steps")
        if isinstance(total, int) and math.isclose(share * total, 1.0):
            share = (1.0 + 1e-9) / total  # torch divides by the rising steps less one
        keywords["pct_start"] = share
    defaults = optimizer.defaults
    if "betas" not in defaults and not defaults.get("momentum"):
        keywords.setdefault("cycle_momentum", False)  # cycling would switch a momentum on that is off


def _warmup_alone(optimizer: Optimizer, steps_per_epoch: int | None, warmup: float) -> Schedule | None:
    steps = _steps(warmup, steps_per_epoch)
    return Schedule(None, "epoch", optimizer=optimizer, warmup_steps=steps) if steps else None


def _steps(warmup: float, steps_per_epoch: int | None) -> int:
    return round(warmup * _known(steps_per_epoch, "warmup")) if warmup else 0


def _known(steps_per_epoch: int | None, who: str) -> int:
    if steps_per_epoch is None:
        raise ConfigError(
            f"{who} needs the number of steps in an epoch, and this data does not tell how long it is.",
            hint="Give the loader's data set a __len__, or use a scheduler that moves per epoch.",
        )
    return steps_per_epoch


def _plain(state: Any) -> Any:
    """Of a scheduler's state what JSON can hold; the rest (functions, counters) its constructor makes."""
    if isinstance(state, dict):
        return {
            key: _plain(value) for key, value in state.items() if isinstance(key, str) and _is_plain(value)
        }
    if isinstance(state, list | tuple):
        return [_plain(value) for value in state]
    return state


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value)
    return value is None or isinstance(value, bool | int | float | str)
