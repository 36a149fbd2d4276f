"""A sum over batches is divided by the wrong count.

## What it does
Follows what a loop over a loader adds up (right answers, mean losses, summed losses) to the division after
it, and reports a count of samples divided by the number of batches, a sum of batch means divided by the
number of samples, a part of a data set divided by the size of the whole, and a sum that goes on over all
epochs divided by the size of one. Means of batch means over the number of batches are left alone: they are
off by the last batch alone.

## Why is this bad?
The number is wrong by a factor of about the batch size. An accuracy comes out above one, a loss looks a
hundred times smaller than it is and cannot be compared with another batch size, and thresholds and early
stopping work on it.

## References
- [CrossEntropyLoss: reduction](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.sums import Divisor, Sum, divisor_of, goes_on, many_in_a_batch, sum_of

CODE = "TS410"
NAME = "mean-of-batch-means"
SEVERITY: Severity = "warning"

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        data = TensorDataset(torch.randn(100, 4), torch.randint(0, 2, (100,)))
        loader = DataLoader(data, batch_size=32)
        model = nn.Linear(4, 2)
        correct = 0
        with torch.no_grad():
            for x, y in loader:
                correct += (model(x).argmax(dim=1) == y).sum().item()
        print(f"accuracy {correct / len(loader):.3f}")  # TS410
        """
    ),
    Example(
        """
        import torch
        from torch import nn

        def validate(model, loader):
            criterion = nn.CrossEntropyLoss()
            total = 0.0
            with torch.no_grad():
                for x, y in loader:
                    total += criterion(model(x), y).item()
            return total / len(loader.dataset)  # TS410
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    data = TensorDataset(torch.randn(100, 4), torch.randint(0, 2, (100,)))
    loader = DataLoader(data, batch_size=32)
    model, criterion = nn.Linear(4, 2), nn.CrossEntropyLoss()
    correct, total = 0, 0.0
    with torch.no_grad():
        for x, y in loader:
            scores = model(x)
            correct += (scores.argmax(dim=1) == y).sum().item()
            total += criterion(scores, y).item() * len(y)
    print(f"loss {total / len(data):.3f}, accuracy {correct / len(data):.3f}")
    """,
)


@dataclass(frozen=True, eq=False)
class _Division:
    node: ast.BinOp | ast.AugAssign
    over: ast.expr
    by: ast.expr


def check(file: File) -> Iterator[Finding]:
    """Looks at each division of a sum by a count."""
    told: set[ast.AST] = set()
    for division in _divisions(file):
        frame = file.frame_of(division.node)
        carried = None if _is_divided_further(file, division) else goes_on(frame, division.over, division.by)
        if carried is not None:
            _, start, more = carried
            if more.node not in told:
                told.add(more.node)
                yield _growing(file, division, start.node, more.node)
            continue
        added = sum_of(frame, division.over)
        if added is None or not many_in_a_batch(added):
            continue
        count = divisor_of(added, division.by)
        if count is not None and (wrong := _wrong(added, count)):
            yield _finding(file, division, added, *wrong)


def _is_divided_further(file: File, division: _Division) -> bool:
    """Whether the result is divided or multiplied again, such as by the number of epochs so far."""
    return isinstance(division.node, ast.AugAssign) or isinstance(
        file.index.parents[division.node], ast.BinOp
    )


def _growing(file: File, division: _Division, start: ast.AST, more: ast.AST) -> Finding:
    name = ast.unparse(division.over)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        division.node,
        f"`{name}` is added up over all epochs, and is divided by the size of one",
        why="the result grows from epoch to epoch, as if training went wrong",
        fix=Fix(f"Set `{name}` to 0 at the beginning of each epoch."),
        related=(file.related(start, "it starts here alone"), file.related(more, "added up here")),
    )


def _divisions(file: File) -> Iterator[_Division]:
    for node in file.index.nodes[ast.BinOp]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield _Division(node, node.left, node.right)
    for node in file.index.nodes[ast.AugAssign]:
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
            yield _Division(node, node.target, node.value)


def _wrong(added: Sum, count: Divisor) -> tuple[str, str] | None:
    """What is wrong, and what to do; None when the count fits."""
    if count.kind == "batches" and added.kind in ("samples", "summed loss"):
        what = "counts samples" if added.kind == "samples" else "is a sum over samples"
        return f"`{added.name}` {what}, and is divided by the number of batches", "the number of samples"
    if count.kind == "samples" and added.kind == "mean loss":
        return (
            f"`{added.name}` adds up the means of batches, and is divided by the number of samples",
            "the number of batches, or add up `loss.item() * batch_size`",
        )
    if count.kind == "whole" and added.kind in ("samples", "summed loss"):
        return (
            f"`{added.name}` is a sum over the samples that a sampler chooses, and is divided by the size of "
            "the whole data set",
            "`len(loader.sampler)`",
        )
    return None


def _finding(file: File, division: _Division, added: Sum, what: str, instead: str) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        division.node,
        what,
        why="the result is wrong by a factor: of about the batch size, or of the part that is looked at",
        fix=Fix(f"Divide by {instead}."),
        related=(file.related(added.node, "added up here"),),
    )
