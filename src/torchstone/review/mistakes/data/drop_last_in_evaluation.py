"""The last batch of validation or test data is dropped, so some samples are never evaluated.

## What it does
Reports a loader of validation or test data that is made with `drop_last=True`, when a loop evaluates a model
over it and none trains on it.

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

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.loaders import Loader, loaders

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
        if loader.is_held_out and loader.evaluates and not _needs_one_size(loader):
            reported.add(loader.call)
            yield _finding(file, loader, dropped)


def _is_one(loader: Loader) -> bool:
    """Whether a batch is one sample, so that none is incomplete."""
    size = loader.given(1, "batch_size")
    return size is None or (isinstance(size, ast.Constant) and size.value == 1)


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
