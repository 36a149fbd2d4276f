"""What a model, its loss and its data do not agree on, found on one batch before the first step.

A check speaks only where training would crash or learn something else than was meant; a correct program is
never refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from torchstone.finding import Finding
from torchstone.task import Task
from torchstone.training.objective import Objective
from torchstone.training.preflight.lazy import initialise_lazy
from torchstone.training.preflight.mistake import refuse
from torchstone.training.preflight.parameters import check_parameters
from torchstone.training.preflight.trial import try_batch

__all__ = ["initialise_lazy", "preflight"]


def preflight(
    module: nn.Module,
    batch: Any,
    task: Task | None,
    objective: Objective,
    *,
    optimizers: Iterable[Optimizer] = (),
    targets: Any = None,
    precision: AbstractContextManager[Any] | None = None,
) -> list[Finding]:
    """Sends one batch through module and loss, as a training step would, and leaves no trace of it.

    Parameters, buffers, modes, gradients and random states are afterwards what they were. With a step of the
    user's own nothing is run: only the parameters are looked at.

    Args:
        module: what is trained, on its device.
        batch: `inputs`, `targets` and `weights`, on the same device.
        task: what is learned; None where only the loss knows.
        objective: the loss, prepared.
        optimizers: those that train the module.
        targets: the targets of all training samples, so that a wrong label is found now and not in the
            middle of an epoch; None for those of the batch.
        precision: the context of forward pass and loss.

    Returns:
        What is worth a warning.

    Raises:
        PreflightError: training would crash, or learn something else than was meant.
    """
    findings = check_parameters(module, objective, list(optimizers))
    if objective.step is None:
        findings += try_batch(module, batch, task, objective, _tensor(targets), precision or nullcontext())
    refuse(findings)
    return findings


def _tensor(targets: Any) -> Tensor | None:
    """The targets as a tensor, where they are one or an array of numbers."""
    import numpy as np
    import torch

    if isinstance(targets, np.ndarray) and targets.dtype.kind in "biuf":
        return torch.from_numpy(np.ascontiguousarray(targets))
    return targets if isinstance(targets, Tensor) else None
