"""What `ts.fit` is given, and what becomes of it: batches, optimizers, schedules."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from torchstone.config import TrainConfig, from_options, to_toml
from torchstone.data.batches import Batch, Batches, TensorBatches
from torchstone.data.loaders import batches_from
from torchstone.errors import ConfigError, DataError
from torchstone.finding import Finding
from torchstone.flow.planning import has_batch_statistics
from torchstone.flow.record import count_parameters
from torchstone.flow.tasks import meaning_of
from torchstone.runs.directory import RunDirectory
from torchstone.runs.manifest import build_manifest
from torchstone.training.callbacks import Callback
from torchstone.training.device import choose_device
from torchstone.training.objective import Objective
from torchstone.training.preflight.mistake import refuse
from torchstone.training.preflight.parameters import check_parameters
from torchstone.training.randomness import random_states, set_random_states
from torchstone.training.schedules import Schedule
from torchstone.training.settings import Settings

_OBJECTS = ("net", "train", "val", "loss", "optimizer", "scheduler", "metrics", "callbacks", "step")
"""Arguments that are Python objects and are not written into the run."""

NOT_CONFIGURED = (*_OBJECTS, "out", "force", "quiet")


@dataclass
class FitArguments:
    """What `torchstone.fit` was given; the fields are its arguments."""

    net: nn.Module
    train: Any
    val: Any
    loss: Callable[..., Any] | None
    optimizer: Any
    epochs: int
    batch_size: int | None = None
    scheduler: Any = None
    metrics: Mapping[str, Callable[..., Any]] | Iterable[str] | None = None
    monitor: str = "val_loss"
    patience: int | None = None
    clip: float | None = None
    accumulate: int = 1
    precision: Any = None
    device: str | torch.device | None = None
    callbacks: Sequence[Callback] = ()
    step: Callable[..., Any] | None = None
    seed: int = 0
    deterministic: bool = False
    out: Any = None
    min_delta: float = 0.0
    keep: Literal["best", "last"] = "best"
    average: Literal["none", "ema", "swa"] = "none"
    average_decay: float = 0.999
    max_time: float | None = None
    compile: bool = False
    force: bool = False
    quiet: bool = False

    def settings(self) -> Settings:
        """The numbers of the loop."""
        names = set(Settings.names()) & {field.name for field in dataclasses.fields(self)}
        values = {name: getattr(self, name) for name in names}
        values |= {"precision": self.precision or "float32", "device": str(self.device or "auto")}
        return Settings(**values)

    def config(self) -> TrainConfig:
        """What can be written down of it, as a configuration."""
        values = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in NOT_CONFIGURED
        }
        values |= {"precision": self.precision or "float32", "device": str(self.device or "auto")}
        return from_options({key: value for key, value in values.items() if value is not None})


def batches(arguments: FitArguments) -> tuple[Batches, Batches | None]:
    """Training batches in a new order each epoch, validation batches in order; those made before stay."""
    train, val = arguments.train, arguments.val
    if not isinstance(train, TensorBatches):
        train = batches_from(
            train,
            batch_size=arguments.batch_size,
            shuffle=True,
            seed=arguments.seed,
            join_single=has_batch_statistics(arguments.net),
        )
    if val is not None and not isinstance(val, TensorBatches):
        val = batches_from(val, batch_size=None, shuffle=False)
    return train, val


def first_batch(train: Batches, device: torch.device) -> Batch:
    """The first batch of the first epoch, for preflight; random states are as before."""
    states = random_states()  # a loader's own sampler draws from them
    first = next(iter(train.to(device).epoch(0)), None)
    set_random_states(states)
    if first is None:
        raise DataError("The training data gave no batch.", hint="Check that it has samples.")
    return first


def all_targets(train: Batches) -> torch.Tensor | None:
    """The targets of all training samples where they are at hand, so that a wrong one is found now."""
    if not isinstance(train, TensorBatches) or train.targets is None:
        return None
    return train.targets[train.indices.to(train.targets.device)]


def optimizers(arguments: FitArguments) -> dict[str, Optimizer]:
    """The optimizers by name, as they were given or made from the parameters."""
    given = arguments.optimizer
    if isinstance(given, Optimizer):
        return {"main": given}
    if isinstance(given, Mapping):
        wrong = [name for name, value in given.items() if not isinstance(value, Optimizer)]
        if wrong or not given:
            raise ConfigError("optimizer: expected a dictionary of optimizers by name.")
        return dict(given)
    if not callable(given):
        raise ConfigError(
            f"optimizer: expected an optimizer or a function of the parameters, got {given!r}.",
            hint="For example optimizer=torch.optim.Adam, or torch.optim.SGD(net.parameters(), lr=0.1).",
        )
    trained = [parameter for parameter in arguments.net.parameters() if parameter.requires_grad]
    if not trained:
        _nothing_to_train(arguments)
    made = given(trained)
    if not isinstance(made, Optimizer):
        raise ConfigError(f"optimizer: the function gave {type(made).__name__}, not an optimizer.")
    return {"main": made}


def _nothing_to_train(arguments: FitArguments) -> None:
    """Why an optimizer cannot be made from the parameters of the module."""
    refuse(check_parameters(arguments.net, Objective(arguments.loss, arguments.step), []))
    raise ConfigError(
        "optimizer: net has no parameter that requires a gradient, so that a function gets none.",
        hint="Give an optimizer that is made from the parameters that are to be trained.",
    )


def schedules(arguments: FitArguments, named: Mapping[str, Optimizer]) -> dict[str, Schedule]:
    """The schedules by the names of their optimizers."""
    given = arguments.scheduler
    if given is None:
        return {}
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in named]
        if unknown:
            raise ConfigError(f'scheduler: there is no optimizer "{unknown[0]}".')
    else:
        given = {next(iter(named)): given}
    made = {name: _schedule(value, named[name]) for name, value in given.items()}
    return {name: schedule for name, schedule in made.items() if schedule is not None}


def _schedule(given: Any, optimizer: Optimizer) -> Schedule | None:
    """A schedule from a scheduler, or from a function of the optimizer that makes one (or none)."""
    if isinstance(given, Schedule):
        return given
    is_scheduler = hasattr(given, "step") and not isinstance(given, type)
    if isinstance(given, type) and (missing := _required(given)):
        call = f"{given.__name__}(optimizer, {missing[0]}=...)"
        raise ConfigError(
            f"scheduler: {given.__name__} needs {missing[0]} besides the optimizer.",
            hint=f"Give a function: scheduler=lambda optimizer: {call}.",
        )
    made = given if is_scheduler else given(optimizer)
    if made is None:
        return None
    if isinstance(made, Schedule):
        return made
    if not hasattr(made, "step"):
        raise ConfigError(f"scheduler: the function gave {type(made).__name__}, not a scheduler.")
    of = getattr(made, "optimizer", optimizer)
    if of is not optimizer:
        raise ConfigError(
            "scheduler: it moves another optimizer than the one given.",
            hint="Make it from the optimizer that you give to fit, or give a function of the optimizer.",
        )
    return Schedule(made)


def _required(kind: type) -> list[str]:
    """The arguments of a class after its first that have no default."""
    parameters = list(inspect.signature(kind).parameters.values())[1:]
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [one.name for one in parameters if one.default is inspect.Parameter.empty and one.kind in plain]


def keep_request(
    arguments: FitArguments,
    directory: RunDirectory,
    train: Batches,
    val: Batches | None,
    findings: Sequence[Finding],
) -> None:
    """Writes what can be written of the request, before the first step."""
    meaning = meaning_of(arguments.loss)
    manifest = build_manifest(
        device=choose_device(str(arguments.device or "auto"))[0],
        seed=arguments.seed,
        kind="fit",
        meaning=None if meaning is None else meaning.to_json(),
        model={
            "name": type(arguments.net).__name__,
            "arguments": {},
            "parameters": count_parameters(arguments.net),
        },
        loss=_described(arguments.loss),
        optimizer=_described(arguments.optimizer),
        scheduler=_described(arguments.scheduler),
        step=_described(arguments.step),
        metrics=_metrics_by_name(arguments.metrics),
        split={"train": train.samples, "val": None if val is None else val.samples},
        notes=[*train.notes, *(val.notes if val is not None else [])],
        test_readings=[],
    )
    directory.write_text(directory.config_path, to_toml(arguments.config()))
    directory.write_json(directory.findings_path, [finding.to_json() for finding in findings])
    directory.write_json(directory.manifest_path, manifest)


def _described(value: Any) -> str | None:
    """An object in words that a person can read."""
    if value is None:
        return None
    return str(value) if isinstance(value, nn.Module) else getattr(value, "__name__", type(value).__name__)


def _metrics_by_name(asked: Any) -> dict[str, str | None] | None:
    """The metrics that were asked for: of the user's own the function's name, None for published ones."""
    if asked is None:
        return None
    if isinstance(asked, Mapping):
        return {name: _described(function) for name, function in asked.items()}
    return dict.fromkeys([asked] if isinstance(asked, str) else asked)


def missing_objects(manifest: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """What a run of `fit` was made with and is not on disk, nor given again; in words.

    Args:
        manifest: of the run.
        given: arguments of `fit` by name.
    """
    own_metrics = [name for name, function in (manifest.get("metrics") or {}).items() if function]
    needed: dict[str, Any] = {
        "net": True,
        "train": True,
        "optimizer": True,
        "loss": manifest.get("loss"),
        "step": manifest.get("step") or not manifest.get("loss"),
        "scheduler": manifest.get("scheduler"),
        "metrics": own_metrics,
        "val": (manifest.get("split") or {}).get("val") is not None,
    }
    told = {"step": manifest.get("step"), "metrics": ", ".join(own_metrics)}
    return [
        f"{name} ({told[name]})" if told.get(name) else name
        for name, is_needed in needed.items()
        if is_needed and name not in given
    ]


def published_metrics(manifest: Mapping[str, Any]) -> list[str] | None:
    """The metrics that a run asked for by name, which need not be given again; None where it named none."""
    names = [name for name, function in (manifest.get("metrics") or {}).items() if not function]
    return names or None
