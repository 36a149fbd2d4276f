"""A softmax runs over the samples, or over a dimension of size one, instead of over the classes.

## What it does
Reports a softmax whose output goes to a likelihood loss and that runs over the first dimension of rows of
scores, and one over a dimension that has a single entry.

A watched run reads the dimension of the softmax that such a loss is given from its graph. Square tables, as
in the comparison of texts and pictures in both directions, are passed over.

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
import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Severity
from torchstone.review import graphs
from torchstone.review.detector import Detector, sampled
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

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

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


_LOSSES = (
    "nll_loss",
    "cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "kl_div",
)
_SOFTMAXES = ("Softmax", "LogSoftmax")


class Watch(Detector):
    """Looks at the dimension of the softmax that a loss is given."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._seen: Counter[Any] = Counter()

    @sampled
    def on_loss(self, event: Event) -> None:
        """Not over the classes, or over one entry, in two sampled steps."""
        if event.name not in _LOSSES:
            return
        node = graphs.origin(event.subject)
        axis, sizes = graphs.dimension(node), graphs.shape(node)
        if graphs.operation(node) not in _SOFTMAXES or axis is None or sizes is None:
            return
        place = event.place
        if sizes[axis] == 1 and math.prod(sizes) > 1:
            self._single(event, place, sizes)
        elif self._is_elsewhere(event, axis, sizes):
            self._elsewhere(event, place, axis, sizes)

    def _is_elsewhere(self, event: Event, axis: int, sizes: tuple[int, ...]) -> bool:
        """Whether it goes over another dimension than the one that the loss takes for the classes."""
        if event.name not in ("nll_loss", "cross_entropy") or len(sizes) < 2 or axis == 1:
            return False
        unchanged = graphs.origin(event.subject, same_shape=True)
        same = graphs.shape(unchanged) == sizes == tuple(event.subject.shape)
        # A square is how texts and pictures are compared with each other, in both directions.
        return graphs.operation(unchanged) in _SOFTMAXES and same and sizes[axis] != sizes[1]

    def _single(self, event: Event, place: Place | None, sizes: tuple[int, ...]) -> None:
        self._seen[place, "single"] += 1
        if self._seen[place, "single"] == 2:
            self.found(
                "The softmax before this loss runs over a dimension of size one: its output is always 1",
                why="nothing that the model computes changes it; for one score a sample use a sigmoid",
                place=place,
                shape=list(sizes),
            )

    def _elsewhere(self, event: Event, place: Place | None, axis: int, sizes: tuple[int, ...]) -> None:
        self._seen[place, "elsewhere"] += 1
        if self._seen[place, "elsewhere"] == 2:
            over = "the samples" if axis == 0 else "positions"
            self.found(
                f"The softmax before this loss runs over dimension {axis}, {over}, and not over the classes",
                why="what a sample gets depends on the others that it stands with; use dim=1",
                place=place,
                fix="Use `dim=1`.",
                shape=list(sizes),
                dimension=axis,
            )
