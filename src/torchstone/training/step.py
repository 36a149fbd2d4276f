"""One optimizer step, as a ladder of short functions: `train_step` → `backward` → `update`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from torchstone.errors import ConfigError, TrainingError
from torchstone.training.context import StepContext
from torchstone.training.means import Weight
from torchstone.training.objective import Objective, count_samples
from torchstone.training.optimizers import parameters_of
from torchstone.training.state import TrainState


def train_step(
    state: TrainState,
    group: list[Any],
    objective: Objective,
    context: StepContext,
    *,
    clip: float | None = None,
    measure: bool = False,
) -> None:
    """Trains on a group of batches with one step of the optimizers; the loss goes to `state.means`.

    Args:
        state: what is trained.
        group: the batches whose gradients are accumulated; they count as one batch.
        objective: the loss.
        context: for a step of the user's own.
        clip: the largest norm of the gradients.
        measure: note the norm of the gradients (before clipping) in `state.gradient_norm`.
    """
    if state.closure:
        _closure_step(state, group, objective, context, clip)
        return
    for optimizer in state.optimizers.values():
        optimizer.zero_grad()
    if backward(state, group, objective, context):
        update(state, clip, measure)
    elif state.scaler is not None:
        state.scaler.update()


def backward(state: TrainState, group: list[Any], objective: Objective, context: StepContext) -> bool:
    """Computes the gradients of the group's mean loss.

    Returns:
        False when the user's own step did all by itself.
    """
    if objective.step is not None:
        return _own_steps(state, group, objective, context)
    if len(group) == 1:
        with state.autocast:
            loss = objective.compute(state.forward, group[0])
        _backward(state, loss)
        summed = objective.reduction == "sum"  # its mean needs the count now
        weight = objective.normaliser(group[0]) if summed else objective.weight(group[0])
        _note(state, loss.detach(), weight, objective)
        return True
    # Several batches count as one: each loss weighs what its normaliser is of the sum of all.
    total = _sum([objective.normaliser(batch) for batch in group])
    losses = []
    for batch in group:
        with state.autocast:
            share = objective.share(state.forward, batch, total)
        _backward(state, share)
        losses.append(share.detach())
    _note(state, torch.stack(losses).sum(), total, objective)
    return True


def update(state: TrainState, clip: float | None, measure: bool) -> None:
    """Clips the gradients and lets the optimizers step."""
    optimizers = state.optimizers.values()
    scaler = state.scaler
    if clip is not None or measure:
        if scaler is not None:
            for optimizer in optimizers:
                scaler.unscale_(optimizer)
        gradients = parameters_of(optimizers)
        if clip is not None:
            state.gradient_norm = torch.nn.utils.clip_grad_norm_(gradients, clip)
        else:
            present = [parameter.grad for parameter in gradients if parameter.grad is not None]
            state.gradient_norm = torch.nn.utils.get_total_norm(present)
    state.updating = True
    for optimizer in optimizers:
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
    if scaler is not None:
        scaler.update()
    state.updating = False


def _backward(state: TrainState, loss: Tensor) -> None:
    (loss if state.scaler is None else state.scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]


def _note(state: TrainState, loss: Tensor, weight: Weight, objective: Objective) -> None:
    """Files the loss for the epoch's mean; a sum over samples is filed as its mean."""
    if objective.reduction == "sum":
        loss = loss / weight  # type: ignore[operator]
    state.means.add("loss", loss, weight)


def _sum(normalisers: list[float | Tensor]) -> float | Tensor:
    total = normalisers[0]
    for normaliser in normalisers[1:]:
        total = total + normaliser
    return total


def _own_steps(state: TrainState, group: list[Any], objective: Objective, context: StepContext) -> bool:
    """Runs the user's step on each batch; True when it returned losses, which the loop must step for."""
    assert objective.step is not None  # noqa: S101
    counts = [count_samples(batch) for batch in group]
    losses = []
    for batch, count in zip(group, counts, strict=True):
        with state.autocast:
            result = objective.step(state.forward, batch.given(), context)
        if isinstance(result, dict):
            if len(group) > 1:
                raise ConfigError(
                    "accumulate: a step that does its own optimizer steps must accumulate by itself.",
                    hint="Set accumulate to 1, or return the loss.",
                )
            for name, value in result.items():
                state.means.add(name, value.detach() if isinstance(value, Tensor) else value, count)
            return False
        share = _loss_of(result) * (count / sum(counts)) if len(group) > 1 else _loss_of(result)
        _backward(state, share)
        losses.append(share.detach())
    state.means.add("loss", losses[0] if len(losses) == 1 else torch.stack(losses).sum(), sum(counts))
    return True


def _loss_of(result: Any) -> Tensor:
    if isinstance(result, Tensor) and result.numel() == 1 and result.requires_grad:
        return result.reshape(())
    if isinstance(result, Tensor):
        without = "" if result.requires_grad else " without gradient"
        what = f"a tensor of shape {tuple(result.shape)}{without}"
    else:
        what = f"a {type(result).__name__}"
    raise TrainingError(
        f"step returned {what}.",
        hint="Return the batch's mean loss (one number, from the net's output), or a dictionary of numbers "
        "after doing backward and optimizer steps through context.",
    )


def _closure_step(
    state: TrainState, group: list[Any], objective: Objective, context: StepContext, clip: float | None
) -> None:
    """A step of an optimizer that evaluates the loss several times; the first value is noted."""
    if len(state.optimizers) > 1:
        raise ConfigError("optimizer: LBFGS works only alone.", hint="Use one optimizer.")
    before = len(state.means.pending)

    def closure() -> Tensor:
        state.optimizer.zero_grad()
        kept = len(state.means.pending)
        if not backward(state, group, objective, context):
            raise ConfigError("optimizer: LBFGS needs a step that returns its loss.")
        _, noted, weight = state.means.pending[kept]
        loss: Any = noted
        if objective.reduction == "sum" and objective.step is None:
            loss = loss * weight  # what the gradients are of; noted is the mean
        if kept > before:
            del state.means.pending[kept:]
        if clip is not None:
            state.gradient_norm = torch.nn.utils.clip_grad_norm_(parameters_of([state.optimizer]), clip)
        return torch.as_tensor(loss)

    state.updating = True
    evaluated: Callable[[], float] = closure  # type: ignore[assignment]
    state.optimizer.step(evaluated)
    state.updating = False
