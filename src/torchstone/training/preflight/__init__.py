"""Before the first step: does the model fit task, loss and data? Asked of one batch, leaving no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchstone.errors import TorchstoneError
from torchstone.finding import Finding
from torchstone.task import Task
from torchstone.training.objective import Objective
from torchstone.training.preflight.findings import preflight_error
from torchstone.training.preflight.layers import explain_refusal
from torchstone.training.preflight.lazy import initialise_lazy
from torchstone.training.preflight.loss_case import LossCase
from torchstone.training.preflight.loss_refusals import explain_loss_error
from torchstone.training.preflight.loss_signals import PairwiseWatch, check_before
from torchstone.training.preflight.numbers import check_finite
from torchstone.training.preflight.parameters import check_parameters, check_reached
from torchstone.training.preflight.trial import no_trace

__all__ = ["initialise_lazy", "preflight"]


def preflight(
    module: nn.Module,
    batch: Any,
    task: Task | None,
    objective: Objective,
    *,
    optimizers: Iterable[Optimizer] = (),
    targets: Tensor | None = None,
    precision: AbstractContextManager[Any] | None = None,
) -> list[Finding]:
    """Runs module and loss once on a batch, in training mode, and checks what comes out.

    Parameters, buffers, gradients, modes, random states and hooks are afterwards as they were. Only
    parameters of lazy layers get their shapes if `initialise_lazy` was not called before. No parameter's
    gradient is computed. With `objective.step` nothing is run: only the parameters are checked.

    Args:
        module: the network, on its device, not compiled.
        batch: a `Batch` on the same device.
        task: what is learned, where that is known.
        objective: the loss, prepared.
        optimizers: those that will step.
        targets: all training targets, where they are at hand, so that a label out of range in a later
            batch is found now.
        precision: an autocast context, as in training.

    Returns:
        Findings that are no errors.

    Raises:
        PreflightError: with each mistake's code, place, shapes and fix.
    """
    optimizers = list(optimizers)
    extra = [objective.loss] if isinstance(objective.loss, nn.Module) else []
    findings = check_parameters(module, optimizers)
    if objective.step is None and objective.loss is not None:
        initialise_lazy(module, batch.inputs)
        with no_trace(module, *extra), precision or nullcontext(), torch.enable_grad():
            module.train()
            findings += _check_batch(module, objective.loss, batch, task, objective, optimizers, targets)
    if any(finding.severity == "error" for finding in findings):
        raise preflight_error(findings)
    return findings


def _check_batch(
    module: nn.Module,
    loss: Callable[..., Any],
    batch: Any,
    task: Task | None,
    objective: Objective,
    optimizers: list[Optimizer],
    targets: Tensor | None,
) -> list[Finding]:
    if findings := check_finite(batch):
        return findings
    try:
        outputs = module(batch.inputs)
    except TorchstoneError:
        raise
    except Exception as error:  # whatever the user's forward raises is told, not thrown
        return [explain_refusal(module, batch.inputs, error)]
    case = LossCase(module, loss, outputs, batch.targets, objective.ignore_index, task=task)
    if objective.members is not None and isinstance(outputs, Tensor) and isinstance(batch.targets, Tensor):
        case.outputs = outputs.flatten(0, 1)
        case.targets = batch.targets.repeat_interleave(objective.members, dim=0)
    if findings := check_before(case) or _check_all_labels(case, targets):
        return findings
    return _check_loss(case, batch, objective, optimizers)


def _check_all_labels(case: LossCase, targets: Tensor | None) -> list[Finding]:
    """The range of all training labels, given as one tensor of the batch's rank."""
    if targets is None or not isinstance(case.outputs, Tensor) or case.kind not in ("cross_entropy", "nll"):
        return []
    if case.outputs.ndim != 2 or targets.ndim != 1:
        return []
    whole = LossCase(
        case.module,
        case.loss,
        case.outputs.detach()[:1].expand(len(targets), -1),
        targets,
        case.ignore_index,
    )
    return check_before(whole)


def _check_loss(
    case: LossCase, batch: Any, objective: Objective, optimizers: list[Optimizer]
) -> list[Finding]:
    """The loss itself: does it take outputs and targets, and does it lead back to what is trained?"""
    watch = PairwiseWatch(case)
    try:
        with watch:
            value = objective.of_outputs(case.given, batch)
    except TorchstoneError:
        raise
    except Exception as error:  # whatever the loss raises is told, not thrown
        return [explain_loss_error(case, error)]
    if watch.finding is not None:
        return [watch.finding]
    return check_reached(value, case, optimizers)
