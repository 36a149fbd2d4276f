"""What a step of the user's own (`step=`) works with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from torchstone.errors import ConfigError, did_you_mean
from torchstone.training.optimizers import parameters_of

if TYPE_CHECKING:
    from torchstone.training.state import TrainState


class StepContext:
    """The third argument of `step(net, batch, context)`.

    The step returns a loss (0-dimensional, with a gradient; its mean over the batch's samples), and the loop
    does the rest: backward, accumulation, clipping, optimizer and schedule. Or it does its own backward and
    optimizer steps through `backward`, `step` and `zero_grad`, and returns a dictionary of numbers, which are
    logged as `train_<key>`.

    In validation the step is called without gradients, the net in evaluation mode and `training` False; what
    it returns is averaged over the samples as `val_loss` or `val_<key>`. `backward`, `step` and `zero_grad`
    do nothing there, so that the same step serves both.
    """

    def __init__(self, state: TrainState, clip: float | None = None) -> None:
        self._state = state
        self._clip = clip
        self.training = True
        """Whether this batch is trained on, or only looked at (validation)."""

    @property
    def optimizers(self) -> dict[str, Optimizer]:
        """The optimizers by the names they were given."""
        return self._state.optimizers

    @property
    def optimizer(self) -> Optimizer:
        """The only optimizer.

        Raises:
            ConfigError: there are several; take one from `optimizers`.
        """
        if len(self._state.optimizers) != 1:
            names = ", ".join(self._state.optimizers)
            raise ConfigError(
                f"context.optimizer: there are several ({names}).", hint='Use context.optimizers["name"].'
            )
        return next(iter(self._state.optimizers.values()))

    @property
    def device(self) -> torch.device:
        """Where net and batch are."""
        return self._state.device

    @property
    def epoch(self) -> int:
        """The epoch, counted from 1."""
        return self._state.epoch + 1

    @property
    def steps_done(self) -> int:
        """Steps before this one, over all epochs; with accumulation a step is a group of batches."""
        return self._state.step

    def autocast(self) -> AbstractContextManager[Any]:
        """Mixed precision as the run was asked for; the step runs inside it already."""
        return self._state.autocast

    def backward(self, loss: Tensor, **keywords: Any) -> None:
        """`loss.backward()`, scaled where float16 needs it."""
        if self.training:
            scaler = self._state.scaler
            (loss if scaler is None else scaler.scale(loss)).backward(**keywords)  # type: ignore[no-untyped-call]

    def step(self, optimizer: Optimizer | str | None = None) -> None:
        """An optimizer's step, its gradients clipped as the run was asked for.

        Args:
            optimizer: which one, itself or its name; default: the only one.
        """
        if not self.training:
            return
        chosen, scaler = self._chosen(optimizer), self._state.scaler
        if scaler is not None and self._clip is not None:
            scaler.unscale_(chosen)
        if self._clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters_of([chosen]), self._clip)
        if scaler is None:
            chosen.step()
        else:
            scaler.step(chosen)

    def zero_grad(self, optimizer: Optimizer | str | None = None) -> None:
        """Forgets the gradients of one optimizer's parameters; default: of all optimizers'."""
        if not self.training:
            return
        optimizers = self._state.optimizers.values() if optimizer is None else [self._chosen(optimizer)]
        for chosen in optimizers:
            chosen.zero_grad()

    def _chosen(self, optimizer: Optimizer | str | None) -> Optimizer:
        if optimizer is None:
            return self.optimizer
        if isinstance(optimizer, Optimizer):
            return optimizer
        known = self._state.optimizers
        if optimizer not in known:
            raise ConfigError(
                f'context: there is no optimizer "{optimizer}". {did_you_mean(optimizer, known)}'.strip(),
                hint=f"Known: {', '.join(known)}.",
            )
        return known[optimizer]
