"""What a batch costs: the loss, its own normaliser, sample weights, ensembles.

A mean loss is a sum divided by a number, the *normaliser*: samples for most losses, numbers for losses of
numbers, kept targets or the sum of their class weights for cross-entropy. Whoever adds losses of several
batches must weight each by its normaliser; this is the only place that knows it.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchstone.errors import ConfigError, TrainingError
from torchstone.training.means import Kept, Weight

_COUNTED = (nn.CrossEntropyLoss, nn.NLLLoss)
_COUNTED_FUNCTIONS = (F.cross_entropy, F.nll_loss)
_PER_NUMBER = (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, nn.BCELoss, nn.BCEWithLogitsLoss)
_PER_NUMBER_FUNCTIONS = (
    F.mse_loss,
    F.l1_loss,
    F.smooth_l1_loss,
    F.huber_loss,
    F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
)
_DEFER_BELOW = 8192
"""Targets of a batch up to which they are kept for a later count; larger ones are counted at once."""


class Objective:
    """The loss that is minimised.

    Args:
        loss: any callable of outputs and targets: a module of torch.nn, a function of
            torch.nn.functional (also as `functools.partial`), or your own. Of your own a 0-dimensional result
            is the mean over the batch's samples; a longer one is one loss per sample.
        step: in place of forward and loss: `step(net, batch, context)` as `ts.fit` describes it.
    """

    def __init__(
        self, loss: Callable[..., Tensor] | None = None, step: Callable[..., Any] | None = None
    ) -> None:
        if loss is None and step is None:
            raise ConfigError("loss: there is none.", hint="Give loss=, or step= for a step of your own.")
        self.loss = loss
        self.step = step
        self.members: int | None = None
        """How many models an ensemble module holds; its outputs in training are `(B, members, outputs)`."""
        function, keywords = _unwrapped(loss)
        self.counted = isinstance(loss, _COUNTED) or function in _COUNTED_FUNCTIONS
        self.per_number = isinstance(loss, _PER_NUMBER) or function in _PER_NUMBER_FUNCTIONS
        self.reduction = _reduction(loss, function, keywords)
        self.ignore_index = int(getattr(loss, "ignore_index", keywords.get("ignore_index", -100)))
        self.class_weight: Tensor | None = getattr(loss, "weight", keywords.get("weight"))
        """The class weights of a counted loss."""

    def prepare(self, module: nn.Module, device: torch.device) -> None:
        """Moves the loss's own tensors to the device and learns whether the module is an ensemble."""
        if isinstance(self.loss, nn.Module):
            self.loss.to(device)
        if isinstance(self.class_weight, Tensor):
            self.class_weight = self.class_weight.to(device)
        self.members = getattr(module, "members", None)

    def compute(self, module: Callable[..., Any], batch: Any, *, training: bool = True) -> Tensor:
        """The batch's loss as the loss's own reduction gives it, 0-dimensional."""
        return self.of_outputs(module(batch.inputs), batch, training=training)

    def of_outputs(self, outputs: Any, batch: Any, *, training: bool = True) -> Tensor:
        """The batch's loss for outputs that are there already."""
        targets, weights = batch.targets, batch.weights
        if self.members is not None and training:
            outputs, targets, weights = self._repeated(outputs, targets, weights)
        if weights is not None:
            total, count = self._weighted_sum(outputs, targets, weights)
            return total if self.reduction == "sum" else total / count
        assert self.loss is not None  # noqa: S101
        loss = self.loss(outputs, targets)
        if not isinstance(loss, Tensor):
            raise _no_tensor(loss)
        if loss.ndim == 0:
            return loss
        return loss.sum() / self._elements(loss, targets).sum()

    def share(self, module: Callable[..., Any], batch: Any, total: Weight) -> Tensor:
        """The batch's part of the loss of a group of batches whose normalisers sum to `total`.

        The shares add up to the loss of all batches as one. A batch whose targets are all ignored adds
        nothing.
        """
        if self.reduction == "sum":
            return self.compute(module, batch)
        if self.counted and self.reduction == "mean":
            outputs, targets, weights, copies = module(batch.inputs), batch.targets, batch.weights, 1
            if self.members is not None:
                outputs, targets, weights = self._repeated(outputs, targets, weights)
                copies = self.members
            whole = (
                self._reduced("sum")(outputs, targets)
                if weights is None
                else self._weighted_sum(outputs, targets, weights)[0]
            )
            return whole / (total * copies)  # type: ignore[operator]
        return self.compute(module, batch) * (self.normaliser(batch) / total)  # type: ignore[operator]

    def normaliser(self, batch: Any) -> float | Tensor:
        """What the batch's mean loss was divided by; a tensor stays on its device."""
        weight = self.weight(batch)
        return (weight.targets != weight.ignored).sum() if isinstance(weight, Kept) else weight

    def weight(self, batch: Any) -> Weight:
        """The same, where a count may be put off until somebody reads it."""
        targets = batch.targets
        if batch.weights is not None:
            weights: Tensor = batch.weights
            if self.counted and not targets.is_floating_point():
                return self._broadcast(weights, self._kept(targets)).sum()
            return weights.sum()
        if self.counted and not targets.is_floating_point():
            if self.class_weight is None and targets.numel() <= _DEFER_BELOW:
                return Kept(targets if targets.ndim == 1 else targets.reshape(-1), self.ignore_index)
            return self._kept(targets).sum()
        if self.per_number:
            return float(targets.numel())
        return float(count_samples(batch))

    def _kept(self, targets: Tensor) -> Tensor:
        """For each target its class weight, 0 where it is ignored."""
        kept = targets != self.ignore_index
        if self.class_weight is None:
            return kept
        return self.class_weight[torch.where(kept, targets, 0)] * kept

    def _elements(self, losses: Tensor, targets: Any) -> Tensor:
        """What each element of an unreduced loss counts."""
        if self.counted and not targets.is_floating_point():
            return self._kept(targets)
        return torch.ones_like(losses)

    def _weighted_sum(self, outputs: Any, targets: Any, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of losses times sample weights, and what a mean divides it by."""
        losses = self._reduced("none")(outputs, targets)
        if not isinstance(losses, Tensor):
            raise _no_tensor(losses)
        if losses.ndim == 0:
            raise ConfigError(
                "Sample weights need the loss of each sample, and this loss gives only their mean.",
                hint="Use a loss of torch.nn, or one of your own that returns the loss of each sample.",
            )
        count = self._broadcast(weights, self._elements(losses, targets)).sum()
        return self._broadcast(weights, losses).sum(), count

    @staticmethod
    def _broadcast(weights: Tensor, losses: Tensor) -> Tensor:
        """Losses `(B, ...)` times weights `(B,)`."""
        if losses.shape[:1] != weights.shape[:1]:
            raise TrainingError(
                f"{tuple(weights.shape)} sample weights do not fit losses of shape {tuple(losses.shape)}."
            )
        return losses * weights.reshape(-1, *[1] * (losses.ndim - 1))

    def _repeated(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> tuple[Any, Any, Any]:
        """An ensemble's outputs `(B, members, ...)` as `B * members` samples, each with its target."""
        members = outputs.shape[1]
        repeated = None if weights is None else weights.repeat_interleave(members, dim=0)
        return outputs.flatten(0, 1), targets.repeat_interleave(members, dim=0), repeated

    def _reduced(self, reduction: str) -> Callable[..., Tensor]:
        """The loss with another reduction; the loss itself where it knows none."""
        assert self.loss is not None  # noqa: S101
        if isinstance(self.loss, nn.Module) and isinstance(getattr(self.loss, "reduction", None), str):
            other = copy.copy(self.loss)  # shares its tensors
            other.reduction = reduction  # type: ignore[assignment]
            return other
        function, _ = _unwrapped(self.loss)
        if function is not None and "reduction" in _parameters(function):
            return functools.partial(self.loss, reduction=reduction)
        return self.loss


def _no_tensor(loss: Any) -> ConfigError:
    """What to raise for a loss of the user's own that gives something else."""
    return ConfigError(
        f"loss: it returned {'None' if loss is None else f'a {type(loss).__name__}'}, expected a tensor.",
        hint="Return the loss as torch computes it, without item() or float(), and with a return.",
    )


def count_samples(batch: Any) -> int:
    """The samples in a batch: the length of the first tensor in it."""
    if isinstance(batch.targets, Tensor) and batch.targets.ndim:
        return batch.targets.shape[0]
    length = _length(batch.targets)
    if length is None:
        length = _length(batch.inputs)
    if length is None:
        raise TrainingError("A batch holds no tensor, so its samples cannot be counted.")
    return length


def _length(value: Any) -> int | None:
    if isinstance(value, Tensor):
        return value.shape[0] if value.ndim else 1
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return next((found for item in values if (found := _length(item)) is not None), None)


def _unwrapped(loss: Any) -> tuple[Any, dict[str, Any]]:
    """A function and the keywords that `functools.partial` gave it; (None, {}) for a module."""
    keywords: dict[str, Any] = {}
    while isinstance(loss, functools.partial):
        keywords = {**loss.keywords, **keywords}
        loss = loss.func
    return (None, {}) if loss is None or isinstance(loss, nn.Module) else (loss, keywords)


def _reduction(loss: Any, function: Any, keywords: dict[str, Any]) -> str:
    if isinstance(loss, nn.Module):
        found = getattr(loss, "reduction", "mean")
        return found if isinstance(found, str) else "mean"
    if "reduction" in keywords:
        return str(keywords["reduction"])
    default = _parameters(function).get("reduction")
    return str(default.default) if default is not None and isinstance(default.default, str) else "mean"


def _parameters(function: Any) -> Any:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # built-in callables have no signature
        return {}
