"""Why a loss refuses outputs and targets."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from torchstone.finding import Finding
from torchstone.training.preflight.findings import described, mistake
from torchstone.training.preflight.loss_case import LossCase


def explain_loss_error(case: LossCase, error: Exception) -> Finding:
    """The finding for an error that the loss raised.

    Args:
        case: loss, outputs and targets.
        error: what it raised.
    """
    outputs, targets = case.outputs, case.targets
    seen: dict[str, Any] = {"outputs": described(outputs), "targets": described(targets)}
    if isinstance(outputs, Tensor) and isinstance(targets, Tensor):
        if case.kind in ("cross_entropy", "nll"):
            if (finding := _classes(case, outputs, targets)) is not None:
                return finding
        elif case.kind != "own" and outputs.shape != targets.shape:
            return mistake(
                "TS306" if outputs.numel() == targets.numel() else "TS316",
                f"{case.name} needs outputs and targets of the same shape, they are {tuple(outputs.shape)} "
                f"and {tuple(targets.shape)}.",
                _same_shape(outputs, targets),
                **seen,
            )
    return mistake(
        "TS000",
        f"{case.name} refuses outputs {seen['outputs']} and targets {seen['targets']}: "
        f"{type(error).__name__}: {error}",
        "Call the loss with one batch of outputs and targets and mend what it raises.",
        **seen,
    )


def _classes(case: LossCase, outputs: Tensor, targets: Tensor) -> Finding | None:
    seen: dict[str, Any] = {"outputs": described(outputs), "targets": described(targets)}
    wanted = (*outputs.shape[:1], *outputs.shape[2:])
    if tuple(targets.shape) != wanted and not targets.is_floating_point():
        squeezed = targets.ndim == outputs.ndim and targets.shape[1:2] == (1,)
        one_hot = targets.shape == outputs.shape
        fix = (
            "Drop the axis of size 1: y.squeeze(1)."
            if squeezed
            else "Give the class numbers: y.argmax(1)."
            if one_hot
            else f"Give a label for each of {wanted}; the classes are the second axis of the outputs."
        )
        code = "TS307" if one_hot else "TS316"
        return mistake(
            code,
            f"{case.name} needs labels of shape {wanted} for outputs {tuple(outputs.shape)}, they are "
            f"{tuple(targets.shape)}.",
            fix,
            **seen,
        )
    if not targets.is_floating_point():
        return mistake(
            "TS307",
            f"{case.name} needs class labels as int64, they are {described(targets)}.",
            "Convert them: y.long().",
            **seen,
        )
    return None


def _same_shape(outputs: Tensor, targets: Tensor) -> str:
    if outputs.numel() != targets.numel():
        width = targets.shape[1] if targets.ndim > 1 else 1
        return f"Give the last layer {width} output{'s' * (width != 1)}, one for each number to predict."
    if targets.ndim < outputs.ndim:
        return "Give the targets the axis: y.unsqueeze(1)."
    return "Drop the axis of the outputs: squeeze(1) at the end of forward."
