"""What outputs and targets must be for each loss of torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torchstone.finding import Finding
from torchstone.task import Task
from torchstone.training.preflight.calls import Call
from torchstone.training.preflight.mistake import dtype, mistake, shape

_LABELS = ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss")
_YES_OR_NO = ("BCELoss", "BCEWithLogitsLoss")
_VIEWS = (
    "View",
    "UnsafeView",
    "ReshapeAlias",
    "Transpose",
    "Permute",
    "Squeeze",
    "Unsqueeze",
    "Alias",
    "Clone",
    "ToCopy",
    "T0",
    "TBackward",
    "Movedim",
)
_SCORES = ("Addmm", "Linear", "Mm", "Addbmm", "Bmm", "Convolution", "NativeBatchNorm", "NativeLayerNorm")


def check_call(call: Call, task: Task | None, labels: Tensor | None) -> list[Finding]:
    """What is wrong with a call of a loss; nothing when it is right or unknown.

    Args:
        call: the loss, the outputs and the targets.
        task: what is learned, where it is known.
        labels: the labels of all training samples; None for those of the call.
    """
    if not call.outputs.is_floating_point() or call.outputs.ndim == 0:
        return []
    if call.name in _LABELS:
        findings = _check_labels(call, task, labels)
    elif call.name in _YES_OR_NO:
        findings = _check_yes_or_no(call)
    else:
        findings = _check_numbers(call)
    return [*findings, *_check_scale(call)]


def _check_labels(call: Call, task: Task | None, labels: Tensor | None) -> list[Finding]:
    """One class per sample: outputs `(N, C, ...)`, targets int64 `(N, ...)` or, as shares, `(N, C, ...)`."""
    outputs, targets = call.outputs, call.targets
    if outputs.ndim < 2:
        return []
    classes, expected = outputs.shape[1], (outputs.shape[0], *outputs.shape[2:])
    shares = call.name == "CrossEntropyLoss" and targets.shape == outputs.shape
    if shares and targets.is_floating_point() and classes > 1:
        return []
    if targets.dtype not in (torch.int64, torch.uint8):
        return [_label_dtype(call, shares)]
    if shares and targets.shape != expected:
        return [_label_dtype(call, True)] if classes > 1 else [_squeeze(call, expected)]
    if tuple(targets.shape) != expected:
        return [_squeeze(call, expected)]
    found = _range(call, classes, targets if labels is None or labels.is_floating_point() else labels)
    if not found and task is not None and task.is_classification and classes > len(task.classes) > 0:
        found = [
            mistake(
                "TS316",
                f"The model gives {classes} outputs for {len(task.classes)} classes: outputs "
                f"{shape(outputs)}.",
                "Each output is the score of one class.",
                f"Give the last layer {len(task.classes)} outputs.",
            )
        ]
    return found


def _label_dtype(call: Call, one_hot: bool) -> Finding:
    fix = "targets.argmax(dim=1)" if one_hot and call.outputs.shape[1] > 1 else "targets.long()"
    if not one_hot and call.targets.ndim == 2 and call.targets.shape[1] == 1 and call.outputs.ndim == 2:
        fix += ".squeeze(1)"
    return mistake(
        "TS307",
        f"{call.name} wants class indices of dtype int64 and got targets {shape(call.targets)} of dtype "
        f"{dtype(call.targets)}: outputs {shape(call.outputs)}.",
        "A class's index is a whole number; only shares of each class are fractions, in the outputs' shape.",
        f"Convert the targets: {fix}.",
    )


def _squeeze(call: Call, expected: tuple[int, ...]) -> Finding:
    got = tuple(call.targets.shape)
    if got == (expected[0], 1, *expected[1:]):
        fix = "Drop the dimension of size 1: targets.squeeze(1)."
    elif got == tuple(call.outputs.shape[:-1]):
        fix = "The classes come last here and must come second: outputs.movedim(-1, 1)."
    else:
        fix = "Give outputs of shape (N, C, ...) and targets of shape (N, ...)."
    return mistake(
        "TS316",
        f"{call.name} wants targets of shape {expected} for outputs {shape(call.outputs)} and got {got}.",
        "There is one class index for each sample, or for each of its places.",
        fix,
    )


def _range(call: Call, classes: int, labels: Tensor) -> list[Finding]:
    kept = labels[labels != call.ignore_index]
    if kept.numel() == 0:
        return []
    low, high = int(kept.min()), int(kept.max())
    if low >= 0 and high < classes:
        return []
    wrong = int(((kept < 0) | (kept >= classes)).sum())
    if low < 0:
        fix = f"Number the classes from 0, or set ignore_index={low} where that label means none."
    elif low == 1 and high == classes:
        fix = "Number the classes from 0: targets - 1."
    else:
        fix = f"Give the last layer {high + 1} outputs, or number the classes from 0 to {classes - 1}."
    return [
        mistake(
            "TS308",
            f"{call.name} got {wrong} of {kept.numel()} labels that are no class of the model: labels "
            f"from {low} to "
            f"{high}, outputs {shape(call.outputs)} for {classes} {'class' if classes == 1 else 'classes'}.",
            "A label is the place of its class among the outputs.",
            fix,
            low=low,
            high=high,
            classes=classes,
        )
    ]


def _check_yes_or_no(call: Call) -> list[Finding]:
    """A yes or no for each output: targets floating point, of the outputs' shape, in [0, 1]."""
    outputs, targets = call.outputs, call.targets
    findings: list[Finding] = []
    refused = call.name == "BCELoss" and targets.dtype != outputs.dtype == torch.float32
    if refused or not targets.is_floating_point():
        findings.append(_number_dtype(call))
    if targets.shape != outputs.shape:
        findings.append(_other_shape(call))
    elif bool(((targets < 0) | (targets > 1)).any()):
        findings.append(
            mistake(
                "TS308",
                f"{call.name} got targets from {targets.min():g} to {targets.max():g}.",
                "A target says no with 0 and yes with 1; outside of them the loss has no lower end.",
                "Make the targets 0 and 1; for several classes use CrossEntropyLoss.",
            )
        )
    return findings


def _check_numbers(call: Call) -> list[Finding]:
    """A number for each output. Shapes that broadcast on purpose differ in their number of elements."""
    outputs, targets = call.outputs, call.targets
    together = _broadcast_count(outputs, targets)
    if together is None:
        return [] if call.name == "difference" else [_other_shape(call)]
    if outputs.numel() == targets.numel() > 1 and together > outputs.numel():
        return [_broadcast(call)]
    if call.name == "HuberLoss" and targets.dtype != outputs.dtype == torch.float32:
        return [_number_dtype(call)]
    return []


def _broadcast_count(outputs: Tensor, targets: Tensor) -> int | None:
    """How many elements the two have together; None when they do not broadcast."""
    ndim = max(outputs.ndim, targets.ndim)
    pairs = zip(*((*[1] * (ndim - each.ndim), *each.shape) for each in (outputs, targets)), strict=True)
    count = 1
    for left, right in pairs:
        if left != right and 1 not in (left, right):
            return None
        count *= right if left == 1 else left
    return count


def _number_dtype(call: Call) -> Finding:
    wanted = dtype(call.outputs)
    how = "targets.float()" if wanted == "float32" else f"targets.to(torch.{wanted})"
    return mistake(
        "TS307",
        f"{call.name} wants targets of dtype {wanted} and got {dtype(call.targets)}.",
        "The loss computes with the targets in the outputs' dtype, and does not convert them.",
        f"Convert the targets: {how}.",
    )


def _broadcast(call: Call) -> Finding:
    name = "The loss" if call.name == "difference" else call.name
    return mistake(
        "TS306",
        f"{name} compares every output with every target, not each with its own: outputs "
        f"{shape(call.outputs)}, "
        f"targets {shape(call.targets)}.",
        "Broadcasting makes a table of all pairs of the two; what is learned is the mean of all targets.",
        _same_shape(call.outputs, call.targets),
        outputs=list(call.outputs.shape),
        targets=list(call.targets.shape),
    )


def _other_shape(call: Call) -> Finding:
    outputs, targets = call.outputs, call.targets
    same_count = outputs.numel() == targets.numel() and outputs.ndim != targets.ndim
    return mistake(
        "TS306" if same_count else "TS316",
        f"{call.name} wants targets of the outputs' shape: outputs {shape(outputs)}, targets "
        f"{shape(targets)}.",
        "Each output is compared with its own target.",
        _same_shape(outputs, targets)
        if same_count
        else "Give the model one output for each target, and the targets the outputs' shape.",
        outputs=list(outputs.shape),
        targets=list(targets.shape),
    )


def _same_shape(outputs: Tensor, targets: Tensor) -> str:
    if outputs.ndim == targets.ndim + 1 and outputs.shape[-1] == 1:
        return "Give the targets the outputs' shape: targets.unsqueeze(-1)."
    if targets.ndim == outputs.ndim + 1 and targets.shape[-1] == 1:
        return "Give the targets the outputs' shape: targets.squeeze(-1)."
    return "Give the targets the outputs' shape: targets.reshape(outputs.shape)."


def _check_scale(call: Call) -> list[Finding]:
    """Whether the outputs are on the scale that the loss takes them for."""
    outputs = call.outputs.detach()
    if outputs.numel() == 0 or (outputs.ndim < 2 and call.name in _LABELS):
        return []
    made_by = _made_by(call.outputs.grad_fn)
    if call.name == "CrossEntropyLoss" and outputs.shape[1] > 1:
        sums = outputs.sum(dim=1)
        if made_by.startswith("Softmax") and bool((outputs >= 0).all()) and _near_one(sums, 1e-3):
            return [_squashed("TS301", call, "softmax")]
        if made_by.startswith("Sigmoid"):
            return [_squashed("TS301", call, "sigmoid")]
    if call.name == "BCEWithLogitsLoss" and made_by.startswith("Sigmoid"):
        return [_squashed("TS302", call, "sigmoid")]
    if call.name == "BCELoss":
        return _check_probabilities(call, made_by)
    if call.name == "NLLLoss" and not _near_one(outputs.double().exp().sum(dim=1), 1e-2):
        return [_no_log_probabilities(call)]
    return []


def _squashed(code: str, call: Call, function: str) -> Finding:
    return mistake(
        code,
        f"The model ends with a {function}, and {call.name} applies one itself: outputs "
        f"{shape(call.outputs)} from "
        f"{call.outputs.min():.3g} to {call.outputs.max():.3g}.",
        "Applied twice it keeps the loss far from zero and the gradients small.",
        f"Let the model end with its last layer, without the {function}; apply it when you predict.",
    )


def _check_probabilities(call: Call, made_by: str) -> list[Finding]:
    outputs = call.outputs
    low, high = float(outputs.detach().min()), float(outputs.detach().max())
    if low >= 0 and high <= 1 and not (made_by.startswith("Clamp") and _clamps_scores(outputs.grad_fn)):
        return []
    return [
        mistake(
            "TS303",
            f"BCELoss takes probabilities and got raw scores: outputs {shape(outputs)} from {low:.3g} "
            f"to {high:.3g}" + (" behind a clamp." if made_by.startswith("Clamp") else "."),
            "A probability is between 0 and 1, and the gradient behind a clamp is zero.",
            "Use nn.BCEWithLogitsLoss, which takes raw scores.",
        )
    ]


def _no_log_probabilities(call: Call) -> Finding:
    sums = call.outputs.detach().double().sum(dim=1)
    probabilities = bool((call.outputs >= 0).all()) and _near_one(sums, 1e-3)
    return mistake(
        "TS304",
        f"NLLLoss takes log-probabilities and got {'probabilities' if probabilities else 'raw scores'}: "
        f"outputs "
        f"{shape(call.outputs)}.",
        "It only picks the output of the right class, so that anything else has no lower end.",
        "Let the model end with log_softmax instead of softmax, or use CrossEntropyLoss without either."
        if probabilities
        else "Use nn.CrossEntropyLoss, or let the model end with nn.LogSoftmax(dim=1).",
    )


def _near_one(sums: Tensor, tolerance: float) -> bool:
    return bool(((sums - 1).abs() < tolerance).all())


def _made_by(node: Any) -> str:
    """The operation that made the numbers, behind views and copies of them; "" when nobody knows."""
    node = _behind_views(node)
    return "" if node is None else str(node.name())


def _behind_views(node: Any) -> Any:
    while node is not None and node.name().startswith(_VIEWS):
        node = node.next_functions[0][0] if node.next_functions else None
    return node


def _clamps_scores(node: Any) -> bool:
    """Whether a clamp is given what a layer gave, with nothing that makes probabilities between them."""
    clamp = _behind_views(node)
    return _made_by(clamp.next_functions[0][0]).startswith(_SCORES)
