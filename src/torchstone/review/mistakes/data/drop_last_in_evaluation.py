"""The last batch of validation or test data is dropped, so some samples are never evaluated.

## What it does
Reports a loader of validation or test data that is made with `drop_last=True`, when a loop evaluates a model
over it and none trains on it. A watched run counts the samples that such a loader leaves out of a pass of
evaluation.

## Why is this bad?
Up to a batch of samples is left out of every number. In the order of the data set these are always the same
ones, and often of one class; with `shuffle=True` the score changes from one pass to the next. What is counted
over `len(dataset)` is too small as well.

## References
- [torch.utils.data.DataLoader](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.epochs import is_held_out, names_of
from torchstone.review.mistake import Example
from torchstone.review.syntax.arguments import whole
from torchstone.review.syntax.file import File
from torchstone.review.syntax.loaders import Loader, loaders
from torchstone.review.syntax.sample_counts import pictures_of, rows_of

if TYPE_CHECKING:
    from torchstone.review.epochs import Epoch
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS409"
NAME = "drop-last-in-evaluation"
SEVERITY: Severity = "warning"
MENTIONS = ("drop_last",)

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        data = TensorDataset(torch.randn(100, 4), torch.randint(0, 2, (100,)))
        test_loader = DataLoader(data, batch_size=64, drop_last=True)  # TS409
        model = nn.Linear(4, 2)
        correct = total = 0
        with torch.no_grad():
            for x, y in test_loader:
                correct += (model(x).argmax(1) == y).sum().item()
                total += len(y)
        """,
        fixed="""
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        data = TensorDataset(torch.randn(100, 4), torch.randint(0, 2, (100,)))
        test_loader = DataLoader(data, batch_size=64, drop_last=False)
        model = nn.Linear(4, 2)
        correct = total = 0
        with torch.no_grad():
            for x, y in test_loader:
                correct += (model(x).argmax(1) == y).sum().item()
                total += len(y)
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    data = TensorDataset(torch.randn(100, 4), torch.randint(0, 2, (100,)))
    train_loader = DataLoader(data, batch_size=64, shuffle=True, drop_last=True)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    """,
)

_FIXED_SIZE = re.compile(r"hidden|state|memory|queue|contrast|xla|tpu|hpu|cuda_?graph", re.IGNORECASE)
"""Names of what needs batches of one size: a recurrent state that is kept, a queue, a compiled device."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each loader of held-out data."""
    if "drop_last" not in file.source.text:
        return
    reported: set[ast.Call] = set()
    for loader in loaders(file):
        dropped = loader.given(8, "drop_last")
        if loader.frame.file is not file or loader.call in reported or not loader.is_plain:
            continue
        if not isinstance(dropped, ast.Constant) or dropped.value is not True or _is_one(loader):
            continue
        if _is_even(loader):
            continue
        if loader.is_held_out and loader.evaluates and not _needs_one_size(loader):
            reported.add(loader.call)
            yield _finding(file, loader, dropped)


def _is_one(loader: Loader) -> bool:
    """Whether a batch is one sample, so that none is incomplete."""
    size = loader.given(1, "batch_size")
    return size is None or (isinstance(size, ast.Constant) and size.value == 1)


def _is_even(loader: Loader) -> bool:
    """Whether the samples fill all batches, so that none is left out."""
    size = whole(loader.frame, loader.given(1, "batch_size"))
    count = pictures_of(loader.frame, loader.dataset) or rows_of(loader.frame, loader.dataset)
    return size is not None and count is not None and size > 0 and count % size == 0


def _needs_one_size(loader: Loader) -> bool:
    """Whether a sampler divides the samples among processes, or the loop keeps a state of a batch's size."""
    sampler = loader.given(3, "sampler")
    if sampler is not None and not (isinstance(sampler, ast.Constant) and sampler.value is None):
        return True
    return any(_FIXED_SIZE.search(name) for loop in loader.evaluates for name in _names(loop.node))


def _names(loop: ast.AST) -> Iterator[str]:
    for node in ast.walk(loop):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _finding(file: File, loader: Loader, dropped: ast.Constant) -> Finding:
    loop = loader.evaluates[0]
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        loader.call,
        f"`{loader.name}` drops its last batch: the samples in it are never evaluated",
        why="the numbers leave out up to a batch of samples, in a fixed order always the same ones",
        fix=Fix("Evaluate the last batch too.", safe=False, edits=(file.replace(dropped, "False"),)),
        related=(loop.frame.file.related(loop.node, "this loop evaluates"),),
    )


_RECURRENT = frozenset({"RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"})
"""Layers whose state, where it is kept, needs batches of one size."""


class Watch(Detector):
    """Counts the samples that a pass of evaluation leaves out."""

    PAUSES = frozenset({"batch"})

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._labelled: Epoch | None = None

    def on_batch(self, event: Event) -> None:
        """Whether there is something to score: contrastive losses need batches of one size."""
        if event.samples.targets is not None:
            self._labelled = event.epoch

    def on_epoch_ended(self, event: Event) -> None:
        """Judges the pass, where the loader is one of evaluation."""
        loader = event.subject
        epoch: Epoch = event.epoch
        if loader is None or not loader.drop_last or not epoch.evaluates or self._labelled is not epoch:
            return
        if _is_filled(loader, epoch):
            self.right(epoch.shown, 1)
        left = _left_out(loader, epoch)
        if not left or _keeps_state(epoch):
            return
        names = names_of(loader, event.frame)
        if is_held_out(names) and not any(_FIXED_SIZE.search(name) for name in names):
            self.found(
                f"{left} of {len(loader.sampler)} samples are left out of the evaluation: the last batch is "
                "dropped",
                why="what is left out counts in no number, and is always the same without shuffling",
                place=epoch.shown,
                fix="Leave `drop_last` out of this loader.",
                related=((epoch.place, "this pass leaves them out"),) if epoch.made else (),
                left_out=left,
                samples=len(loader.sampler),
            )


def _is_filled(loader: Any, epoch: Epoch) -> bool:
    """Whether all samples came, each in a whole batch."""
    size = loader.batch_size
    if not isinstance(size, int) or not hasattr(type(loader.dataset), "__getitem__"):
        return False
    return epoch.batches > 0 and len(loader.dataset) == len(loader.sampler) == size * epoch.batches


def _left_out(loader: Any, epoch: Epoch) -> int:
    """How many samples came in no batch, where the loader goes by a sampler with an end."""
    size = loader.batch_size
    if not isinstance(size, int) or not hasattr(type(loader.dataset), "__getitem__"):
        return 0
    left = len(loader.sampler) - size * epoch.batches
    return left if 0 < left < size else 0


def _keeps_state(epoch: Epoch) -> bool:
    """Whether a recurrent model was evaluated."""
    modules = [module for held in epoch.modules.values() if (module := held()) is not None]
    return any(type(part).__name__ in _RECURRENT for module in modules for part in module.modules())
