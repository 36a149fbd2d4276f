"""The targets of a loss are of a type that the loss cannot use.

## What it does
Follows the dtype of targets through data sets, loaders and helpers, and reports class labels that are floats
in a negative log-likelihood or a cross-entropy, and whole numbers in a binary cross-entropy.

A watched run names the types when the call fails.

## Why is this bad?
Class labels are indices and must be `long`; a binary cross-entropy computes with its targets, which must be
floats. The call fails, often only when the first batch has gone through the whole model.

## References
- [NLLLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html)
- [BCEWithLogitsLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor
from torchstone.review.syntax.arrays import array_of
from torchstone.review.syntax.file import File
from torchstone.review.syntax.outputs import LossCall, loss_calls

if TYPE_CHECKING:
    from torchstone.review.stream import Event

CODE = "TS307"
NAME = "target-dtype"
SEVERITY: Severity = "error"
INVOLVES = ("CrossEntropyLoss|NLLLoss|BCELoss|WithLogits|cross_entropy|nll_loss",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        scores = nn.Linear(4, 1)(torch.randn(8, 4)).squeeze(1)
        labels = torch.randint(0, 2, (8,))
        loss = nn.BCEWithLogitsLoss()(scores, labels)  # TS307
        """,
        fixed="""
        import torch
        from torch import nn

        scores = nn.Linear(4, 1)(torch.randn(8, 4)).squeeze(1)
        labels = torch.randint(0, 2, (8,))
        loss = nn.BCEWithLogitsLoss()(scores, labels.float())
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    scores = nn.Linear(4, 3)(torch.randn(8, 4))
    labels = torch.randint(0, 3, (8,))
    loss = nn.functional.cross_entropy(scores, labels)
    soft = nn.functional.cross_entropy(scores, torch.rand(8, 3).softmax(dim=1))
    binary = nn.functional.binary_cross_entropy_with_logits(scores[:, 0], (labels == 1).float())
    """,
)

_BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")


def check(file: File) -> Iterator[Finding]:
    """Looks at the targets of each classification loss."""
    for call in loss_calls(file):
        target = call.target
        if target is None or isinstance(target, ast.Starred):
            continue
        found = array_of(call.frame, target)
        if call.name in _BINARY and found.dtype == "int":
            yield _finding(file, call, target, "whole numbers", "float")
        elif call.name == "nll_loss" and found.dtype == "float":
            yield _finding(file, call, target, "floats", "long")
        elif call.name == "cross_entropy" and found.dtype == "float" and found.rank == 1:
            output = array_of(call.frame, call.output)
            if output.least >= 2:  # one row of scores may have one row of probabilities
                yield _finding(file, call, target, "floats", "long")


def _finding(file: File, call: LossCall, target: ast.expr, kind: str, wanted: str) -> Finding:
    text = ast.unparse(target)
    fix = Fix(f"Give the loss `{text}.{wanted}()`.")
    if isinstance(target, ast.Name | ast.Attribute):
        edits = (file.replace(target, f"{text}.{wanted}()"),)
        fix = Fix(fix.description, safe=False, edits=edits)
    named = call.name.replace("_with_logits", "").replace("_", "-").replace("nll-loss", "the likelihood loss")
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call.node,
        f"`{text}` holds {kind}, and {named} needs targets of type {wanted}",
        why="the call fails when it is reached",
        evidence={"wanted": wanted},
        fix=fix,
    )


class Watch(Detector):
    """Looks at the types that a loss was given when it failed."""

    def on_loss_failed(self, event: Event) -> None:
        """The type alone makes the call fail, whatever else is wrong with it."""
        targets = event.targets
        if not is_tensor(targets):
            return
        kind, floats = str(targets.dtype).removeprefix("torch."), bool(targets.is_floating_point())
        wanted = None
        if event.name in _BINARY and not floats:
            wanted = "float"
        elif event.name in _BINARY and targets.dtype != event.subject.dtype and "dtype" in str(event.error):
            wanted = str(event.subject.dtype).removeprefix("torch.")
        elif event.name in ("nll_loss", "cross_entropy") and not _are_labels(event, kind):
            wanted = "long"
        if wanted is None or not _is_of_types(event.error):
            return
        self.found(
            f"The targets are of type {kind}, and {event.name} needs targets of type {wanted}",
            why="the call fails",
            place=event.place,
            fix=f"Give the loss `targets.{wanted}()`.",
            dtype=kind,
            wanted=wanted,
            shape=list(targets.shape),
        )


def _are_labels(event: Event, kind: str) -> bool:
    """Whether targets have a type that the loss takes: numbers of classes, or their probabilities."""
    if kind in ("int64", "uint8"):
        return True
    return bool(event.name == "cross_entropy" and event.targets.shape == event.subject.shape)


def _is_of_types(error: Exception) -> bool:
    words = str(error).lower()
    return any(word in words for word in ("dtype", "type float", "scalar type", "bool tensors"))
