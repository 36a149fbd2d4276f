"""The last batch of training holds one sample, which batch normalisation cannot be trained on.

## What it does
Counts the samples of a training loader where the code says how many there are, and reports a batch size that
leaves one of them for the last batch, when the model has batch normalisation right after a linear layer.

## Why is this bad?
In training mode `BatchNorm1d` needs more than one value for each channel, and raises an error in the last
batch of the first epoch: after all the others, and only with these numbers of samples.

## References
- [torch.nn.BatchNorm1d](https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.crashes import Crash, shape
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.syntax.arrays import array_of, whole
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.loaders import Loader, loaders
from torchstone.review.syntax.modes import forwards
from torchstone.review.syntax.outputs import sequential_layers
from torchstone.review.syntax.sample_counts import rows_of
from torchstone.review.syntax.training import inside
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.stream import Event

CODE = "TS414"
NAME = "last-batch-of-one"
SEVERITY: Severity = "warning"
MENTIONS = ("BatchNorm1d",)

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        data = TensorDataset(torch.randn(129, 4), torch.randint(0, 2, (129,)))
        train_loader = DataLoader(data, batch_size=32, shuffle=True)  # TS414
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    data = TensorDataset(torch.randn(129, 4), torch.randint(0, 2, (129,)))
    train_loader = DataLoader(data, batch_size=32, shuffle=True, drop_last=True)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each loader that a loop trains on."""
    if "BatchNorm1d" not in file.source.text:
        return
    for loader in loaders(file):
        if loader.frame.file is not file or not loader.trains or not _is_simple(loader):
            continue
        rows = rows_of(loader.frame, loader.dataset)
        size = whole(loader.frame, loader.given(1, "batch_size"))
        if rows is None or size is None or not 1 < size < rows or rows % size != 1:
            continue
        if _is_flat(loader.frame, loader.dataset) and (model := _normalised(file, loader)):
            yield _finding(file, loader, model, rows, size)


def _is_simple(loader: Loader) -> bool:
    """Whether it gives all samples in batches, the last one as it comes."""
    known = {None, "dataset", "batch_size", "shuffle", "num_workers", "pin_memory", "generator"}
    return loader.is_plain and len(loader.call.args) <= 3 and {k.arg for k in loader.call.keywords} <= known


def _is_flat(frame: Frame, dataset: ast.expr | None) -> bool:
    """Whether a sample's inputs are one row of numbers."""
    made = frame.value(dataset) if dataset is not None else None
    if made is None or made.call is None or made.frame is None or not made.call.args:
        return False
    return made.name == "torch.utils.data.TensorDataset" and array_of(made.frame, made.call.args[0]).rank == 2


def _normalised(file: File, loader: Loader) -> Value | None:
    """The model that the loop trains, when it normalises what a linear layer gives."""
    evaluating = {each.seen.event.node for each in forwards(file) if "eval" in each.modes()}
    for root in events(file):
        for loop in loader.trains:
            for seen in inside(loop, root):
                model = seen.event.target
                if seen.event.kind != "forward" or model is None or seen.event.node in evaluating:
                    continue
                if _has_pair(model):
                    return model
    return None


def _has_pair(model: Value) -> bool:
    """Whether `Linear, BatchNorm1d` stand one after the other in its Sequential, or in one of its class."""
    if model.cls is None:
        return model.call is not None and model.frame is not None and _pair(model.frame, model.call)
    for cls in model.cls.lineage():
        for stores in cls.file.index.stores[cls.scope].values():
            for store in stores:
                frame = cls.file.root(store.scope)
                if isinstance(store.value, ast.Call) and _pair(frame, store.value):
                    return True
    return False


def _pair(frame: Frame, made: ast.Call) -> bool:
    if frame.name(made.func) != "torch.nn.Sequential":
        return False
    names = [layer.name if layer is not None else None for layer in sequential_layers(frame, made) or ()]
    return ("torch.nn.Linear", "torch.nn.BatchNorm1d") in pairwise(names)


def _finding(file: File, loader: Loader, model: Value, rows: int, size: int) -> Finding:
    related = []
    if model.call is not None and model.frame is not None:
        related.append(model.frame.file.related(model.call, "this model has batch normalisation"))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        loader.call,
        f"{rows} samples in batches of {size} leave one for the last, which `BatchNorm1d` cannot train on",
        why="it raises an error at the end of the first epoch",
        evidence={"samples": rows, "batch_size": size},
        fix=Fix("Give the training loader `drop_last=True`, or another batch size."),
        related=tuple(related),
    )


class Watch(Detector):
    """Explains the error that ended the program."""

    def on_crash(self, event: Event) -> None:
        """Which layer was given one value for each channel, and which loader gave the batch."""
        crash = Crash(event.subject)
        steps = crash.steps()
        if crash.kind != "one" or not steps or not steps[-1].inputs:
            return
        layer, given = steps[-1].module, steps[-1].inputs[0]
        name = self.names.module(layer)
        single = given.shape[0] == 1
        self.found(
            f"`{name}` ({type(layer).__name__}) is trained on an input of shape {shape(given)}, "
            "one value for each channel",
            why="normalisation over the batch has no variance to divide by",
            place=crash.place,
            fix="Give the training loader `drop_last=True`, or another batch size; where the model is only "
            "used, call `eval()` first."
            if single
            else "Use larger inputs, or another normalisation.",
            module=name,
            input=list(given.shape),
        )
