"""Signs in outputs and targets that a loss will compute something else than was meant."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from torchstone.finding import Finding
from torchstone.training.preflight.findings import described, mistake
from torchstone.training.preflight.loss_case import LossCase

_VIEWS = (
    "ViewBackward", "UnsafeViewBackward", "ReshapeAliasBackward", "SqueezeBackward", "UnsqueezeBackward",
    "TransposeBackward", "PermuteBackward", "TBackward", "AliasBackward", "CloneBackward", "ToCopyBackward",
    "ExpandBackward", "SelectBackward", "SliceBackward",
)  # fmt: skip
"""Operations that only rearrange what is computed before them."""


def check_before(case: LossCase) -> list[Finding]:
    """What outputs and targets tell before the loss is called; at most one finding."""
    outputs, targets = case.outputs, case.targets
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
        return []
    checks = {
        "cross_entropy": (_labels, _softmax_dimension, _softmax),
        "nll": (_labels, _softmax_dimension, _log_probabilities),
        "bce": (_broadcast, _float_targets, _softmax_dimension, _probabilities),
        "bce_logits": (_broadcast, _float_targets, _sigmoid),
        "squared": (_broadcast, _float_targets),
        "absolute": (_broadcast,),
        "own": (),
    }[case.kind]
    found = (check(case, outputs, targets) for check in checks)
    return [finding for finding in found if finding is not None][:1]


def last_operation(outputs: Tensor) -> Any:
    """The node of the graph that computed the outputs, through views; None without a graph."""
    node: Any = outputs.grad_fn
    while node is not None and type(node).__name__.rstrip("0123456789").startswith(_VIEWS):
        node = node.next_functions[0][0] if node.next_functions else None
    return node


def _is(outputs: Tensor, name: str) -> bool:
    return type(last_operation(outputs)).__name__.startswith(name)


def _labels(case: LossCase, outputs: Tensor, targets: Tensor) -> Finding | None:
    """Labels of the right dtype, each below the number of outputs."""
    if targets.is_floating_point():
        if targets.shape == outputs.shape:
            return None  # probabilities of the classes
        return mistake(
            "TS307",
            f"{case.name} needs class labels as int64 {_label_shape(outputs)}, the targets are "
            f"{described(targets)} and the outputs {described(outputs)}.",
            "Convert them: y.long() (and y.squeeze(1) where they are (N, 1)).",
            targets=described(targets),
            outputs=described(outputs),
        )
    if outputs.ndim == 0 or not targets.numel():
        return None
    classes = outputs.shape[1] if outputs.ndim > 1 else outputs.shape[0]
    labels = targets[targets != case.ignore_index]
    if not labels.numel():
        return None
    low, high = int(labels.min()), int(labels.max())
    if low >= 0 and high < classes:
        return None
    start = " Labels that count from 1 need y - 1." if low == 1 and high == classes else ""
    return mistake(
        "TS308",
        f"Labels go from {low} to {high}, but the outputs {described(outputs)} are for {classes} "
        f"class{'es' * (classes != 1)}: labels from 0 to {classes - 1}.",
        f"Give the last layer {high + 1} outputs, or mend the labels.{start}",
        lowest=low,
        highest=high,
        classes=classes,
    )


def _label_shape(outputs: Tensor) -> str:
    shape = (*outputs.shape[:1], *outputs.shape[2:])
    return str(tuple(shape))


def _softmax(case: LossCase, outputs: Tensor, targets: Tensor) -> Finding | None:
    for operation, word in (("SoftmaxBackward", "softmax"), ("SigmoidBackward", "sigmoid")):
        if _is(outputs, operation):
            return mistake(
                "TS301",
                f"{type(case.module).__name__} ends in a {word}, and {case.name} applies log-softmax itself.",
                f"Leave the {word} out of the module; apply softmax only to look at probabilities.",
                why="The gradients shrink, and the loss cannot come near zero.",
            )
    return None


def _sigmoid(case: LossCase, outputs: Tensor, targets: Tensor) -> Finding | None:
    if not _is(outputs, "SigmoidBackward"):
        return None
    return mistake(
        "TS302",
        f"{type(case.module).__name__} ends in a sigmoid, and {case.name} applies it itself.",
        "Leave the sigmoid out of the module, or use BCELoss.",
        why="Probabilities between 0.5 and 0.73 are all that it can say.",
    )


def _probabilities(case: LossCase, outputs: Tensor, targets: Tensor) -> Finding | None:
    low, high = float(outputs.detach().min()), float(outputs.detach().max())
    if _is(outputs, "SigmoidBackward") or _is(outputs, "SoftmaxBackward"):
        return None
    clamped = _is(outputs, "ClampBackward") or _is(outputs, "ClampMinBackward")
    if low >= 0 and high <= 1 and not clamped:
        return None
    return mistake(
        "TS303",
        f"{case.name} needs probabilities, the outputs go from {low:.3g} to {high:.3g} "
        "and no sigmoid made them.",
        "Use BCEWithLogitsLoss, or end the module in a sigmoid.",
        lowest=low,
        highest=high,
    )


def _log_probabilities(case: LossCase, outputs: Tensor, targets: Tensor) -> Finding | None:
    if outputs.ndim < 2 or _is(outputs, "LogSoftmaxBackward"):
        return None
    sums = outputs.detach().float().exp().sum(dim=1)
    if bool((sums - 1).abs().max() <= 1e-2):
        return None
    return mistake(
        "TS304",
        f"{case.name} needs log-probabilities, but exp(outputs) sums to {float(sums.min()):.3g} to "
        f"{float(sums.max()):.3g} over the classes.",
        "End the module in nn.LogSoftmax(dim=1), or use CrossEntropyLoss on its raw outputs.",
    )


def _softmax_dimension(case: LossCase, outputs: Tensor, targets: Tensor) -> Finding | None:
    """A softmax over the samples, or over one number."""
    node = last_operation(outputs)
    name = type(node).__name__
    if not name.startswith(("SoftmaxBackward", "LogSoftmaxBackward")) or outputs.ndim != 2:
        return None
    dimension = int(node._saved_dim)
    if dimension >= 2**63:  # saved as an unsigned number
        dimension -= 2**64
    dimension %= outputs.ndim
    if dimension == 0 and len(outputs) > 1:
        what = "over the samples of the batch (dim=0)"
    elif outputs.shape[dimension] == 1:
        what = "over one number, so that it is always 1"
    else:
        return None
    return mistake(
        "TS305",
        f"{type(case.module).__name__} ends in a softmax {what}; the outputs are {described(outputs)}.",
        "Use dim=1, the classes." if dimension == 0 else "Use a sigmoid for one output.",
        dimension=dimension,
    )


def _broadcast(case: LossCase, outputs: Tensor, targets: Tensor) -> Finding | None:
    """As many numbers in another shape, so that every output would be compared with every target."""
    if outputs.shape == targets.shape or outputs.numel() != targets.numel() or outputs.numel() <= 1:
        return None
    try:
        shape = _together(outputs, targets)
    except RuntimeError:
        return None
    if shape.numel() <= outputs.numel() and case.kind in ("squared", "absolute", "own"):
        return None
    return _pairs(case, outputs, targets)


def _pairs(case: LossCase, outputs: Tensor, targets: Tensor) -> Finding:
    shape = tuple(_together(outputs, targets))
    fix = "y.unsqueeze(1)" if targets.ndim < outputs.ndim else "outputs.squeeze(1) at the end of forward"
    return mistake(
        "TS306",
        f"{case.name} gets outputs {tuple(outputs.shape)} and targets {tuple(targets.shape)}: broadcast to "
        f"{shape}, every output is compared with every target.",
        f"Give them the same shape: {fix}.",
        why="The loss falls to the variance of the targets and stays there.",
        outputs=described(outputs),
        targets=described(targets),
    )


def _together(outputs: Tensor, targets: Tensor) -> torch.Size:
    """The shape that both are broadcast to."""
    shape: torch.Size = torch.broadcast_shapes(outputs.shape, targets.shape)  # type: ignore[no-untyped-call]
    return shape


def _float_targets(case: LossCase, outputs: Tensor, targets: Tensor) -> Finding | None:
    if targets.is_floating_point():
        return None
    return mistake(
        "TS307",
        f"{case.name} needs targets of floating-point numbers, they are {described(targets)}.",
        "Convert them: y.float().",
        targets=described(targets),
    )


class PairwiseWatch(TorchFunctionMode):
    """While a loss of the user's own runs: are all outputs combined with all targets?

    Args:
        case: the loss.
    """

    def __init__(self, case: LossCase) -> None:
        super().__init__()
        self.case = case
        self.finding: Finding | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Passes every operation on, and looks at those of the outputs with the targets."""
        result = func(*args, **(kwargs or {}))
        tensors = [value for value in args if isinstance(value, Tensor)]
        if (
            self.finding is None
            and len(tensors) == 2
            and isinstance(result, Tensor)
            and self._are_both(tensors)
        ):
            first, second = tensors
            equal = first.numel() == second.numel() > 1
            if equal and first.shape != second.shape and result.numel() > first.numel():
                self.finding = _pairs(self.case, self.case.outputs, self.case.targets)
        return result

    def _are_both(self, tensors: list[Tensor]) -> bool:
        outputs, targets = self.case.outputs, self.case.targets
        return any(tensor is outputs for tensor in tensors) and any(tensor is targets for tensor in tensors)
