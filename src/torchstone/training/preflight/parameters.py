"""Is there something to train, and does the loss lead back to it?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchstone.finding import Finding
from torchstone.training.optimizers import parameters_of
from torchstone.training.preflight.findings import described, mistake
from torchstone.training.preflight.loss_case import LossCase


def check_parameters(module: nn.Module, optimizers: Iterable[Optimizer]) -> list[Finding]:
    """An error where nothing would be trained."""
    optimizers = list(optimizers)
    trained = [
        p for p in (parameters_of(optimizers) if optimizers else module.parameters()) if p.requires_grad
    ]
    if trained:
        return []
    return [
        mistake(
            "TS107",
            f"No parameter of {type(module).__name__} that requires a gradient is trained.",
            "Give the optimizer parameters that require a gradient; requires_grad_(True) unfreezes them.",
        )
    ]


def check_reached(loss: Any, case: LossCase, optimizers: list[Optimizer]) -> list[Finding]:
    """Whether the loss is a number whose gradient reaches something that is trained, and finite."""
    if not isinstance(loss, Tensor):
        return [
            mistake(
                "TS000",
                f"{case.name} returned a {type(loss).__name__}, not a tensor.",
                "Return the loss as a tensor of one number, without item() or float().",
            )
        ]
    if not loss.requires_grad:
        return [_cut(case, f"The loss {described(loss)} has no gradient")]
    trained = {id(p) for p in (parameters_of(optimizers) if optimizers else case.module.parameters())}
    if not _reaches(loss, trained):
        return [_cut(case, "The loss leads back to none of the parameters that are trained")]
    if not bool(torch.isfinite(loss.detach()).all()):
        value = "NaN" if bool(torch.isnan(loss.detach()).any()) else "infinite"
        outputs = case.outputs
        finite = not isinstance(outputs, Tensor) or bool(torch.isfinite(outputs.detach()).all())
        where = (
            f"{case.name} makes it from finite outputs" if finite else "the outputs are not finite already"
        )
        return [
            mistake(
                "TS000",
                f"The loss of the first batch is {value}: {where}.",
                "Look for a logarithm, root or division at zero, and for very large inputs.",
            )
        ]
    return []


def _reaches(loss: Tensor, wanted: set[int]) -> bool:
    """Whether the graph of a loss holds one of these parameters."""
    waiting: list[Any] = [loss.grad_fn]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if id(getattr(node, "variable", None)) in wanted:
            return True
        waiting += [following for following, _ in node.next_functions]
    return loss.grad_fn is None and id(loss) in wanted


def _cut(case: LossCase, what: str) -> Finding:
    return mistake(
        "TS107",
        f"{what}: somewhere between the parameters of {type(case.module).__name__} and the loss the gradient "
        "is cut.",
        "Look for detach(), no_grad, item(), NumPy, argmax or rounding in forward and loss.",
    )
