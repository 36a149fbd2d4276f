"""Validation: the exact mean loss over all samples, and metrics of all outputs at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from torchstone.errors import ConfigError, TrainingError
from torchstone.training.context import StepContext
from torchstone.training.endings import nothing_counts
from torchstone.training.modes import Modes
from torchstone.training.objective import Objective, count_samples
from torchstone.training.randomness import random_states, set_random_states
from torchstone.training.state import TrainState

Metrics = Callable[[Tensor, Tensor], dict[str, float]]

_MOST_BYTES = 8 << 30
"""What outputs and targets may take in the host's memory for metrics."""

_COLLECT_AT = 512
"""Losses that wait on the device before they are brought over."""


def validate(
    state: TrainState,
    val: Any,
    train: Any,
    objective: Objective,
    context: StepContext,
    modes: Modes,
    metrics: Metrics | None,
    stopped: Callable[[], bool],
) -> dict[str, float] | None:
    """Measures what is kept (the average where there is one) on the validation samples.

    Returns:
        `loss` and the metrics by key; None when it was stopped, then random states are as before.
    """
    before = random_states(state.device)
    modes.evaluate()
    context.training = False
    try:
        _refresh_average(state, train, stopped)
        net = _evaluated(state)
        gathered = Gathered(val.samples) if metrics is not None else None
        means = state.means.__class__()
        with torch.no_grad():  # not inference_mode: a module may keep what it computes here for training
            for batch in val.epoch(0):
                if stopped():
                    set_random_states(before, state.device)
                    return None
                _look_at(state, net, batch, objective, context, means, gathered)
                if len(means.pending) >= _COLLECT_AT:
                    means.collect()
        means.collect()
        values = means.means()
        if objective.step is None and not values:
            raise nothing_counts("validation")
        if gathered is not None and metrics is not None:
            values.update(metrics(*gathered.finish()))
    finally:
        context.training = True
    return {key: float(value) for key, value in values.items()}


def _look_at(
    state: TrainState,
    net: nn.Module,
    batch: Any,
    objective: Objective,
    context: StepContext,
    means: Any,
    gathered: Gathered | None,
) -> None:
    """One batch of validation."""
    if objective.step is not None:
        with state.autocast:
            result = objective.step(net, batch.given(), context)
        named = result if isinstance(result, dict) else {"loss": result}
        for name, value in named.items():
            means.add(name, value, count_samples(batch))
        return
    with state.autocast:
        outputs = net(batch.inputs)
        loss = objective.of_outputs(outputs, batch, training=False)
    weight = objective.weight(batch)
    if objective.reduction == "sum":
        loss = loss / objective.normaliser(batch)
    means.add("loss", loss, weight)
    if gathered is not None:
        gathered.add(outputs, batch.targets)


def _evaluated(state: TrainState) -> nn.Module:
    net = state.evaluated()
    net.eval()
    return state.forward if net is state.module else net


def _refresh_average(state: TrainState, train: Any, stopped: Callable[[], bool]) -> None:
    """Batch statistics of the averaged weights, from the training samples."""
    if state.average is not None:
        state.average.refresh_batch_statistics(_inputs(train, state.epoch, stopped))


def _inputs(train: Any, epoch: int, stopped: Callable[[], bool]) -> Iterator[Any]:
    for batch in train.epoch(epoch):
        if stopped():
            return
        yield batch.inputs


class Gathered:
    """Outputs and targets of all batches on the host, in memory that is allocated once where it can be.

    Args:
        samples: how many there will be; None when unknown.
    """

    def __init__(self, samples: int | None) -> None:
        self._samples = samples
        self._parts: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._whole: tuple[Tensor, Tensor] | None = None
        self._filled = 0
        self._bytes = 0

    def add(self, outputs: Any, targets: Any) -> None:
        """Takes in a batch without waiting for the device."""
        if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
            raise ConfigError(
                "metrics: outputs and targets must be tensors, got "
                f"{type(outputs).__name__} and {type(targets).__name__}.",
                hint="Leave metrics out, or log numbers from a step of your own.",
            )
        if outputs.dtype in (torch.bfloat16, torch.float16):
            outputs = outputs.float()
        if self._whole is None and self._samples is not None:
            self._whole = (_room(outputs, self._samples), _room(targets, self._samples))
        place = slice(self._filled, self._filled + len(targets))
        if self._whole is not None and place.stop <= len(self._whole[0]) and not self._parts[0]:
            self._whole[0][place].copy_(outputs, non_blocking=True)
            self._whole[1][place].copy_(targets, non_blocking=True)
            self._filled = place.stop
            return
        self._bytes += outputs.nbytes + targets.nbytes
        if self._bytes > _MOST_BYTES:
            raise _too_much(self._bytes)
        self._parts[0].append(outputs.cpu())
        self._parts[1].append(targets.cpu())

    def finish(self) -> tuple[Tensor, Tensor]:
        """Outputs `(N, ...)` and targets `(N, ...)` on the CPU."""
        if self._whole is not None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self._parts[0].insert(0, self._whole[0][: self._filled])
            self._parts[1].insert(0, self._whole[1][: self._filled])
        outputs, targets = (parts[0] if len(parts) == 1 else torch.cat(parts) for parts in self._parts)
        return outputs, targets


def _room(like: Tensor, samples: int) -> Tensor:
    needed = samples * like.element_size() * math.prod(like.shape[1:])
    if needed > _MOST_BYTES:
        raise _too_much(needed)
    pinned = like.device.type == "cuda"  # else a copy would wait for the device
    return torch.empty((samples, *like.shape[1:]), dtype=like.dtype, pin_memory=pinned)


def _too_much(needed: int) -> TrainingError:
    return TrainingError(
        f"Metrics would need {needed / 2**30:.1f} GiB for the outputs of all validation samples.",
        hint="Validate on fewer samples, or leave metrics out and monitor val_loss.",
    )
