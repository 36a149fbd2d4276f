"""All that a run is at a step, in one place: saved as tensors and JSON, and loaded again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchstone.errors import ConfigError, RunError
from torchstone.runs.checkpoint import Checkpoint, flatten_optimizer, load_optimizer, restore_optimizer
from torchstone.training.averaging import WeightAverage
from torchstone.training.device import choose_device
from torchstone.training.early_stopping import Best
from torchstone.training.means import Means
from torchstone.training.optimizers import needs_closure, parameters_of
from torchstone.training.precision import autocast, build_scaler, choose_precision
from torchstone.training.randomness import random_states
from torchstone.training.schedules import Schedule
from torchstone.training.settings import Settings

VERSION = 1


@dataclass
class TrainState:
    """What changes from step to step, and what it changes.

    Args:
        module: the user's module, on its device.
        optimizers: by name; most runs have one, called `main`.
        schedules: of the optimizers that have one, by the same names.
        device: where everything is.
        forward: what is called for the module: the module, or its compiled form.
        autocast: the context of forward pass and loss.
        scaler: of float16 gradients.
        average: of the weights.
        epoch: epochs that are finished.
        step: optimizer steps done.
        position: samples of the current epoch that were trained on.
        means: the losses of the current epoch.
        best: the best epoch so far.
        history: one record per finished epoch.
        seconds: time spent in training, earlier parts of a resumed run included.
        updating: an optimizer is at work, so that weights and optimizer state do not belong together.
        closure: whether the optimizer evaluates the loss itself.
        gradient_norm: of the last step that measured it, before clipping.
        random: the random states to go on with; None at the beginning.
    """

    module: nn.Module
    optimizers: dict[str, Optimizer]
    schedules: dict[str, Schedule]
    device: torch.device
    forward: nn.Module
    autocast: AbstractContextManager[Any]
    scaler: torch.amp.GradScaler | None = None
    average: WeightAverage | None = None
    epoch: int = 0
    step: int = 0
    position: int = 0
    means: Means = field(default_factory=Means)
    best: Best = field(default_factory=Best)
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    updating: bool = False
    closure: bool = False
    gradient_norm: Tensor | None = None
    random: dict[str, Any] | None = None

    @classmethod
    def create(
        cls,
        module: nn.Module,
        optimizers: Optimizer | Mapping[str, Optimizer],
        schedules: Schedule | Mapping[str, Schedule] | None = None,
        settings: Settings | None = None,
    ) -> TrainState:
        """The state at the beginning; moves the module to its device.

        Raises:
            ConfigError: an optimizer that holds other parameters than the module's, or a combination that
                torch cannot do.
        """
        settings = settings or Settings()
        device, _ = choose_device(settings.device)
        module.to(device)  # parameters stay the same objects, so that the optimizer still holds them
        named = {"main": optimizers} if isinstance(optimizers, Optimizer) else dict(optimizers)
        scheduled = {"main": schedules} if isinstance(schedules, Schedule) else dict(schedules or {})
        _check_optimizers(module, named)
        for optimizer in named.values():
            if optimizer.state:  # of an earlier training, perhaps on another device
                load_optimizer(optimizer, optimizer.state_dict())
        precision = choose_precision(settings.precision, device)
        scaler = build_scaler(device, precision)
        if scaler is not None and any(map(needs_closure, named.values())):
            raise ConfigError("precision: LBFGS does not work with float16.", hint="Use bfloat16 or float32.")
        average = None
        if settings.average != "none":
            average = WeightAverage(module, settings.average, settings.average_decay, settings.epochs)
        return cls(
            module=module,
            optimizers=named,
            schedules=scheduled,
            device=device,
            # a wrapper to call; the module itself stays plain
            forward=torch.compile(module) if settings.compile else module,  # type: ignore[arg-type]
            autocast=autocast(device, precision),
            scaler=scaler,
            average=average,
            closure=any(map(needs_closure, named.values())),
        )

    @property
    def optimizer(self) -> Optimizer:
        """The first optimizer; the only one but for steps of the user's own."""
        return next(iter(self.optimizers.values()))

    @property
    def lr(self) -> float:
        """The learning rate of the first optimizer's first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def evaluated(self) -> nn.Module:
        """What is validated and kept: the averaged module once there is one, else the module itself."""
        averaged = self.average.module if self.average is not None else None
        return self.module if averaged is None else averaged

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """The tensors, by the file of the checkpoint that they belong in; not copies."""
        return {**self.weights(), "optimizer": self._optimizer_tensors()}

    def weights(self) -> dict[str, dict[str, Tensor]]:
        """Those of them that are weights: `model`, `average` and `best` where there are any."""
        files = {"model": self.module.state_dict()}
        if self.average is not None:
            files["average"] = self.average.state_dict()
        if self.best.weights:
            files["best"] = self.best.weights
        return files

    def state(self) -> dict[str, Any]:
        """All the rest; `means` must be collected."""
        return {
            "version": VERSION,
            "epoch": self.epoch,
            "step": self.step,
            "position": self.position,
            "seconds": self.seconds,
            "best": self.best.to_json(),
            "means": self.means.to_json(),
            "history": self.history,
            "classes": self._classes(),
            "optimizers": {name: flatten_optimizer(o.state_dict())[1] for name, o in self.optimizers.items()},
            "schedules": {name: schedule.state_dict() for name, schedule in self.schedules.items()},
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "average_updates": None if self.average is None else self.average.updates,
            "random": random_states(self.device),
        }

    def load(self, checkpoint: Checkpoint) -> None:
        """Goes to where a checkpoint was.

        Raises:
            RunError: the checkpoint is of another version, or of another module or optimizer.
        """
        state, weights = checkpoint.state, checkpoint.weights
        if state.get("version") != VERSION:
            raise RunError(
                f"The checkpoint has version {state.get('version')}; this torchstone reads version {VERSION}."
            )
        for what, names in (("optimizers", self.optimizers), ("schedules", self.schedules)):
            if list(state[what]) != list(names):
                raise RunError(
                    f"The checkpoint has {what} {list(state[what])}, this training {list(names)}.",
                    hint="Resume with the arguments of the run.",
                )
        self._check_classes(checkpoint)
        try:
            self.module.load_state_dict(weights["model"])
            self._load_optimizers(state, weights["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(weights["average"], state["average_updates"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise RunError(
                f"The checkpoint of step {checkpoint.step} does not fit: {_misfit(error)}",
                hint="Resume with the module and the optimizer of the run.",
            ) from error
        if self.scaler is not None and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        for name in ("epoch", "step", "position", "seconds", "history", "random"):
            setattr(self, name, state[name])
        self.means.load(state["means"])
        best = {name: tensor.to(self.device) for name, tensor in weights.get("best", {}).items()}
        self.best = Best(**state["best"], weights=best)

    def _classes(self) -> dict[str, dict[str, str | None]]:
        """The class names of optimizers and schedulers, None for a warm-up without a scheduler."""
        schedulers = {name: schedule.scheduler for name, schedule in self.schedules.items()}
        return {
            "optimizers": {name: type(optimizer).__name__ for name, optimizer in self.optimizers.items()},
            "schedules": {
                name: None if scheduler is None else type(scheduler).__name__
                for name, scheduler in schedulers.items()
            },
        }

    def _check_classes(self, checkpoint: Checkpoint) -> None:
        """Refuses a checkpoint of other optimizers or schedulers; older ones did not note the classes."""
        classes = self._classes()
        for kind, word in (("optimizers", "optimizer"), ("schedules", "scheduler")):
            saved = checkpoint.state.get("classes", {}).get(kind, {})
            for name, own in classes[kind].items():
                if saved.get(name, own) != own:
                    raise RunError(
                        f"The checkpoint of step {checkpoint.step} does not fit: it was made with "
                        f"{saved[name] or 'a warm-up alone'}, and this training has "
                        f"{own or 'a warm-up alone'} as its {word}.",
                        hint=f"Resume with the {word} of the run.",
                    )

    def _optimizer_tensors(self) -> dict[str, Tensor]:
        return {
            f"{name}/{path}": tensor
            for name, optimizer in self.optimizers.items()
            for path, tensor in flatten_optimizer(optimizer.state_dict())[0].items()
        }

    def _load_optimizers(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        for name, optimizer in self.optimizers.items():
            own = {
                path.removeprefix(f"{name}/"): tensor
                for path, tensor in tensors.items()
                if path.startswith(f"{name}/")
            }
            wanted = [set(group) for group in optimizer.param_groups]
            load_optimizer(optimizer, restore_optimizer(own, state["optimizers"][name]))
            for names, group in zip(wanted, optimizer.param_groups, strict=True):
                if missing := sorted(names - set(group)):
                    raise ValueError(
                        f"it was made with another optimizer or scheduler, which has no {missing[0]}"
                    )
        for name, schedule in self.schedules.items():
            schedule.load_state_dict(state["schedules"][name])


def _misfit(error: Exception) -> str:
    """What does not fit, on one line: of torch's list of parameters the beginning."""
    if isinstance(error, KeyError):
        return f"it has no {error}."
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("Error(s) in loading state_dict"):
        more = f" ... and {len(lines) - 4} more" if len(lines) > 4 else ""
        lines = [f"{lines[0].removesuffix(':')}: {' '.join(lines[1:4])}{more}"]
    text = " ".join(lines)
    return text if len(text) <= 600 else f"{text[:597]}..."


def _check_optimizers(module: nn.Module, optimizers: Mapping[str, Optimizer]) -> None:
    own = {id(parameter) for parameter in module.parameters()}
    for name, optimizer in optimizers.items():
        if own.isdisjoint(map(id, parameters_of([optimizer]))):
            which = f'The optimizer "{name}"' if len(optimizers) > 1 else "The optimizer"
            raise ConfigError(
                f"{which} holds none of the module's parameters, so that training would change nothing.",
                hint="Make it from the module that is trained: optimizer(net.parameters()).",
            )
