"""Class labels do not fit the number of scores that the model gives.

## What it does
Follows labels whose range can be read (a known data set, `randint`, numbers that are written out) and the
size of the last layer to a cross-entropy, and reports labels below zero or not below that size.

A watched run names the labels when the call fails, and on a graphics card before it does.

## Why is this bad?
Labels are indices into the scores: of C scores only 0 to C - 1 exist. On the processor this fails with
`Target 3 is out of bounds`, on a graphics card with a device-side assert that names another line.

## References
- [CrossEntropyLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Severity
from torchstone.review import graphs
from torchstone.review.crashes import Crash, is_a
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.syntax.arrays import array_of
from torchstone.review.syntax.file import File
from torchstone.review.syntax.outputs import LossCall, loss_calls

if TYPE_CHECKING:
    from torchstone.review.stream import Event

CODE = "TS308"
NAME = "label-out-of-range"
SEVERITY: Severity = "error"
INVOLVES = ("CrossEntropyLoss|NLLLoss|cross_entropy|nll_loss",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
        labels = torch.tensor([1, 2, 3, 1])
        loss = nn.CrossEntropyLoss()(model(torch.randn(4, 4)), labels)  # TS308
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    labels = torch.tensor([1, 2, 3, 1]) - 1
    loss = nn.CrossEntropyLoss()(model(torch.randn(4, 4)), labels)
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at the labels of each cross-entropy."""
    for call in loss_calls(file):
        target = call.target
        if call.name not in ("cross_entropy", "nll_loss") or target is None or _ignores(call):
            continue
        labels = array_of(call.frame, target)
        if labels.dtype != "int" or labels.low is None or labels.high is None or labels.rank != 1:
            continue
        output = array_of(call.frame, call.output)
        classes = output.last if output.rank in (2, None) and output.least >= 2 else None
        if classes is not None and (labels.high >= classes or -100 < labels.low < 0):
            yield _finding(file, call, target, (labels.low, labels.high), classes)


def _ignores(call: LossCall) -> bool:
    """Whether some label is left out on purpose, or that cannot be told."""
    made = call.frame.value(call.node.func)
    calls = [call.node, *([made.call] if made is not None and made.call is not None else [])]
    return any(k.arg in ("ignore_index", None) for each in calls for k in each.keywords)


def _finding(file: File, call: LossCall, target: ast.expr, labels: tuple[int, int], classes: int) -> Finding:
    text = ast.unparse(target)
    scores = f"{classes} scores" if classes > 1 else "one score"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call.node,
        f"`{text}` holds labels from {labels[0]} to {labels[1]}, and the model gives {scores} a sample",
        why=f"only labels from 0 to {classes - 1} exist; the loss fails at the first other one",
        evidence={"labels": list(labels), "classes": classes},
        related=(file.related(call.output, f"gives {scores} a sample"),),
    )


class Watch(Detector):
    """Looks at the labels: before the loss on an accelerator, where nothing can be read afterwards."""

    @sampled
    def on_loss_began(self, event: Event) -> None:
        """The loss ends in a device-side assert that names another line."""
        if event.subject.device.type != "cpu":
            self._look(event)

    def on_loss_failed(self, event: Event) -> None:
        """The loss says which label, and not why."""
        if event.subject.device.type == "cpu":
            self._look(event)

    def _look(self, event: Event) -> None:
        labels, outputs = event.targets, event.subject
        if event.name not in ("cross_entropy", "nll_loss") or not graphs.readable(labels):
            return
        if labels.is_floating_point() or outputs.ndim not in (labels.ndim + 1, 1):
            return
        classes = int(outputs.shape[1 if outputs.ndim > 1 else 0])
        ignored = event.options.get("ignore_index", -100)
        wrong = labels[((labels < 0) | (labels >= classes)) & (labels != ignored)]
        if not wrong.numel():
            return
        low, high = (int(value) for value in labels[labels != ignored].aminmax())
        scores = f"{classes} scores" if classes > 1 else "one score"
        self.found(
            f"There are labels from {low} to {high}, and the model gives {scores} a sample",
            why=f"only labels from 0 to {classes - 1} exist; the loss fails at the first other one",
            place=event.place,
            fix=_advice(low, high, classes),
            labels=[low, high],
            classes=classes,
            wrong=int(wrong.numel()),
        )

    def on_crash(self, event: Event) -> None:
        """An embedding's indices are as labels are, and end the program in the same way."""
        crash = Crash(event.subject)
        steps = crash.steps()
        if crash.kind != "index" or not steps or not steps[-1].inputs:
            return
        layer, indices = steps[-1].module, steps[-1].inputs[0]
        if not is_a(layer, "Embedding", "EmbeddingBag"):
            return
        low, high, rows = int(indices.min()), int(indices.max()), layer.num_embeddings
        self.found(
            f"`{self.names.module(layer)}` has {rows} rows and is given indices from {low} to {high}",
            why=f"only indices from 0 to {rows - 1} exist",
            place=crash.place,
            fix=f"Give it {high + 1} rows or more."
            if low >= 0
            else "Give padding and unknown entries an index of their own, from 0 on.",
            indices=[low, high],
            rows=rows,
        )


def _advice(low: int, high: int, classes: int) -> str:
    if low == 1 and high == classes:
        return "Count labels from 0: give the loss `labels - 1`."
    if low < 0:
        return f"Pass `ignore_index={low}` where this label means none, or number the classes from 0."
    return f"Let the last layer have {high + 1} outputs, or number the classes from 0."
