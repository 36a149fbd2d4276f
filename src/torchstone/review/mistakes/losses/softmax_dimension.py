"""A softmax runs over the samples, or over a dimension of size one, instead of over the classes.

## What it does
Reports a softmax whose output goes to a likelihood loss and that runs over the first dimension of rows of
scores, and one over a dimension that has a single entry.

## Why is this bad?
Over dimension 0 the probabilities of each class sum to one over the batch: samples compete with each other,
and what a sample gets depends on its neighbours. Over one entry a softmax is always 1, whatever the model
computes, and no gradient passes.

## References
- [Softmax](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html)
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from torchstone.finding import Finding, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.arrays import array_of, given, whole
from torchstone.review.syntax.file import File
from torchstone.review.syntax.outputs import (
    LossCall,
    Operation,
    last_operations,
    loss_calls,
    sequential_layers,
)

CODE = "TS305"
NAME = "softmax-dimension"
SEVERITY: Severity = "error"
INVOLVES = ("oftmax",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        scores = nn.Linear(4, 3)(torch.randn(8, 4))
        logs = nn.functional.log_softmax(scores, dim=0)  # TS305
        loss = nn.functional.nll_loss(logs, torch.randint(0, 3, (8,)))
        """
    ),
    Example(
        """
        import torch
        from torch import nn

        model = nn.Sequential(
            nn.Linear(4, 16),
            nn.ReLU(),
            nn.Linear(16, 1),
            nn.Softmax(dim=-1),  # TS305
        )
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    scores = nn.Linear(4, 3)(torch.randn(8, 4))
    logs = nn.functional.log_softmax(scores, dim=1)
    loss = nn.functional.nll_loss(logs, torch.randint(0, 3, (8,)))
    weights = torch.softmax(nn.Linear(4, 1)(torch.randn(8, 4)), dim=0)
    """,
)

_SOFTMAX = ("softmax", "log_softmax")
_LAYERS = ("torch.nn.Softmax", "torch.nn.LogSoftmax")


def check(file: File) -> Iterator[Finding]:
    """Looks at what reaches the likelihood losses, and at each softmax over a single entry."""
    reported = set()
    for call in loss_calls(file):
        for operation in _over_samples(call):
            if operation.node not in reported:
                reported.add(operation.node)
                yield _samples(file, call, operation)
    for node in _single(file):
        yield file.finding(
            CODE,
            NAME,
            SEVERITY,
            node,
            "this softmax runs over a dimension of size one: its output is always 1",
            why="nothing that the model computes changes it; for one score a sample use a sigmoid",
        )


def _over_samples(call: LossCall) -> list[Operation]:
    """The softmaxes before a likelihood loss that run over the samples."""
    if call.name != "nll_loss":
        return []
    operations = last_operations(call.frame, call.output)
    if not operations or any(operation.kind not in _SOFTMAX for operation in operations):
        return []
    scores = array_of(call.frame, call.output)
    target = array_of(call.frame, call.target) if call.target is not None else scores
    many = scores.least >= 2 or (scores.shape is not None and len(scores.shape) == 2) or target.least >= 1
    return [each for each in operations if many and _axis(each.file, each.node) == 0]


def _axis(file: File, node: ast.expr) -> int | None:
    """The dimension of a softmax, of a function, a method or a layer."""
    if not isinstance(node, ast.Call):
        return None
    name = file.name(node.func) or ""
    function = name.startswith("torch.") and name not in _LAYERS
    return whole(file.frame_of(node), given(node, 1 if function else 0, "dim"))


def _single(file: File) -> Iterator[ast.Call]:
    """Softmaxes over a dimension of size one."""
    for name in ("softmax", "log_softmax"):
        for node in file.index.calls_by_name.get(name, ()):
            function = (file.name(node.func) or "").startswith("torch.")
            method = isinstance(node.func, ast.Attribute) and not function and file.value(node.func) is None
            scores = given(node, 0, "input") if function else None
            if method and isinstance(node.func, ast.Attribute):
                scores = node.func.value
            axis = _axis(file, node)
            if scores is None or axis is None:
                continue
            found = array_of(file.frame_of(node), scores)
            last = axis == -1 or (found.rank is not None and axis == found.rank - 1)
            if last and found.last == 1 and found.least >= 1 and found.shape != (1,):
                yield node
    for node in file.index.calls_by_name.get("Sequential", ()):
        if file.name(node.func) != "torch.nn.Sequential":
            continue
        layers = sequential_layers(file.frame_of(node), node) or []
        for before, layer in itertools.pairwise(layers):
            if before is None or layer is None or layer.name not in _LAYERS or layer.call is None:
                continue
            if before.name != "torch.nn.Linear" or before.call is None or before.frame is None:
                continue
            size = whole(before.frame, given(before.call, 1, "out_features"))
            here = layer.call in file.index.parents
            if size == 1 and here and _axis(file, layer.call) == -1:
                yield layer.call


def _samples(file: File, call: LossCall, operation: Operation) -> Finding:
    here = operation.file is file
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        operation.node if here else call.node,
        "the softmax before this loss runs over dimension 0, the samples, and not over the classes"
        if not here
        else "this softmax runs over dimension 0, the samples, and not over the classes",
        why="the samples of a batch compete with each other; use dim=1",
        related=(
            file.related(call.node, "its output reaches this loss")
            if here
            else operation.file.related(operation.node, "the softmax"),
        ),
    )
