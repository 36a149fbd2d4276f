"""The average of the weights over the steps or the epochs of a training.

`ema`: Polyak and Juditsky (1992), with the decay raised from small values in the first steps, as otherwise
the initial weights would rule a short training. `swa`: Izmailov et al., "Averaging Weights Leads to Wider
Optima and Better Generalization" (2018): the mean over the epochs of the last quarter.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from torchstone.errors import ConfigError

_SWA_START = 0.75
"""The share of the epochs after which `swa` begins."""


class WeightAverage:
    """A second module whose weights are the average of the trained one's.

    Args:
        module: what is trained; copied, on its device.
        kind: `ema` or `swa`.
        decay: decay of `ema` per step; in step n it is at most (1 + n) / (10 + n).
        epochs: epochs of the training, for the beginning of `swa`.
    """

    def __init__(self, module: nn.Module, kind: str, decay: float, epochs: int) -> None:
        self.kind = kind
        self.decay = decay
        self.start_epoch = int(_SWA_START * epochs)
        self.updates = 0
        try:
            self._model = self._copied(module)
        except (RuntimeError, TypeError, copy.Error) as error:
            raise ConfigError(
                f"average: the model cannot be copied, which {kind} needs: {error}",
                hint='Use average="none", or make the model work with copy.deepcopy.',
            ) from error
        self._model.requires_grad_(False)

    def _copied(self, module: nn.Module) -> AveragedModel:
        if self.kind == "ema":
            return AveragedModel(module, multi_avg_fn=self._ema, use_buffers=True)
        return AveragedModel(module)

    @property
    def module(self) -> nn.Module | None:
        """The averaged module; None before the first update."""
        averaged: nn.Module = self._model.module
        return averaged if self.updates else None

    def after_step(self, module: nn.Module) -> None:
        """Takes in the weights after an optimizer step."""
        if self.kind == "ema":
            self._model.update_parameters(module)
            self.updates += 1

    def after_epoch(self, module: nn.Module, epoch: int) -> None:
        """Takes in the weights at the end of an epoch, counted from 0; of each epoch only once."""
        if self.kind == "swa" and epoch >= self.start_epoch + self.updates:
            self._model.update_parameters(module)
            self.updates += 1

    def refresh_batch_statistics(self, inputs: Iterable[Any]) -> None:
        """Recomputes the running statistics that belong to the averaged weights; one pass over `inputs`.

        `ema` averages them as it does the weights and needs no pass.
        """
        if self.kind == "swa" and self.updates and has_batch_statistics(self._model):
            update_bn(([batch] for batch in inputs), self._model)

    def _ema(self, averaged: Any, current: Any, count: Any) -> None:
        # get_ema_multi_avg_fn of torch with a decay that changes. The count is our own, as that of torch is
        # copied to the device, and reading it there would wait for the device.
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        if averaged[0].is_floating_point() or averaged[0].is_complex():
            torch._foreach_lerp_(averaged, current, 1 - decay)
        else:  # counters, such as a BatchNorm's
            torch._foreach_copy_(averaged, current)

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights."""
        state: dict[str, Tensor] = self._model.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Tensor], updates: int) -> None:
        """The inverse of `state_dict`."""
        self._model.load_state_dict(state)
        self.updates = updates


def has_batch_statistics(module: nn.Module) -> bool:
    """Whether a layer keeps running statistics of its batches."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())
