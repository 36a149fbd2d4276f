"""A regression loss compares every prediction with every target, because one has a column too many.

## What it does
Works out the shapes of prediction and target, through models, data sets, loaders and helpers, and reports a
regression loss that is given `(N, 1)` and `(N,)`.

A watched run compares the shapes that each regression loss is given: the same rows, of which one side has a
dimension more. Pairs that were made with as many dimensions on both sides, as in quantile regression, are
meant.

## Why is this bad?
The two are broadcast to `(N, N)`: the loss is the mean over all pairs. Its best answer is the mean of the
targets for every input, so training settles there whatever the inputs say. There is only a warning.

## References
- [Broadcasting](https://docs.pytorch.org/docs/stable/notes/broadcasting.html)
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.syntax.arrays import Array, array_of
from torchstone.review.syntax.file import File
from torchstone.review.syntax.outputs import loss_calls

if TYPE_CHECKING:
    from torchstone.review.stream import Event

CODE = "TS306"
NAME = "broadcast-loss"
SEVERITY: Severity = "error"
INVOLVES = ("MSELoss|L1Loss|HuberLoss|mse_loss|l1_loss|huber_loss|mean|sum",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        x = torch.randn(64, 3)
        y = x.sum(dim=1)
        model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
        loss = nn.functional.mse_loss(model(x), y)  # TS306
        """,
        fixed="""
        import torch
        from torch import nn

        x = torch.randn(64, 3)
        y = x.sum(dim=1)
        model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
        loss = nn.functional.mse_loss(model(x).squeeze(1), y)
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    x = torch.randn(64, 3)
    y = x.sum(dim=1)
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
    loss = nn.functional.mse_loss(model(x).squeeze(1), y)
    other = nn.functional.mse_loss(model(x), y.unsqueeze(1))
    """,
)

_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


def check(file: File) -> Iterator[Finding]:
    """Looks at each regression loss, and at each mean of squared or absolute differences."""
    for call in loss_calls(file):
        if call.name in _LOSSES and call.target is not None and not isinstance(call.target, ast.Starred):
            yield from _compare(file, call.node, call.output, call.target)
    for name in ("mean", "sum"):
        for node in file.index.calls_by_name.get(name, ()):
            difference = _difference(file, node)
            if difference is not None:
                yield from _compare(file, difference, difference.left, difference.right)


def _compare(file: File, place: ast.expr, output: ast.expr, target: ast.expr) -> Iterator[Finding]:
    frame = file.frame_of(place)
    sides = [(node, array_of(frame, node)) for node in (output, target)]
    for (column, wide), (row, narrow) in (sides, sides[::-1]):
        if _has_column(wide) and narrow.shape is not None and len(narrow.shape) == 1 and narrow.shape[0] != 1:
            yield _finding(file, place, column, row)
            return


def _has_column(array: Array) -> bool:
    """Whether it surely is many rows of one number."""
    if array.shape is not None:
        return len(array.shape) == 2 and array.shape[1] == 1 and array.shape[0] != 1
    return array.last == 1 and array.batch and array.least >= 2


def _difference(file: File, node: ast.Call) -> ast.BinOp | None:
    """The difference in `((a - b) ** 2).mean()`, `torch.mean(torch.abs(a - b))` and their like."""
    inner = node.args[0] if node.args else node.func.value if isinstance(node.func, ast.Attribute) else None
    if node.args and (len(node.args) > 1 or not (file.name(node.func) or "").startswith("torch.")):
        return None
    if inner is None or node.keywords:
        return None
    if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Pow):
        inner = inner.left
    elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
        if inner.func.attr not in ("pow", "square", "abs"):
            return None
        of_torch = (file.name(inner.func) or "").startswith("torch.")
        inner = inner.args[0] if of_torch and inner.args else inner.func.value
    else:
        return None
    return inner if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Sub) else None


def _finding(file: File, place: ast.expr, column: ast.expr, row: ast.expr) -> Finding:
    text, other = ast.unparse(column), ast.unparse(row)
    fix = Fix(f"Take the column away: `{text}.squeeze(1)`.")
    if isinstance(column, ast.Name | ast.Call | ast.Attribute | ast.Subscript):
        segment = ast.get_source_segment(file.source.text, column) if "\n" not in text else None
        if segment == text:
            edits = (file.replace(column, f"{text}.squeeze(1)"),)
            fix = Fix(fix.description, safe=False, edits=edits)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        place,
        f"`{_short(text)}` is (N, 1) and `{_short(other)}` is (N,): every row is compared with every other",
        why="the two are broadcast to (N, N), and the best answer is the mean of the targets for all inputs",
        evidence={"shapes": [[None, 1], [None]]},
        fix=fix,
        related=(file.related(row, "has one dimension"),),
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


class Watch(Detector):
    """Looks at the shapes that a regression loss is given, at every step."""

    def on_loss(self, event: Event) -> None:
        """One look is enough: shapes do not lie."""
        if event.name not in _LOSSES or not hasattr(event.targets, "shape"):
            return
        outputs, targets = tuple(event.subject.shape), tuple(event.targets.shape)
        if len(outputs) == len(targets) or not _spread(outputs, targets):
            return  # a pair of the same rank was made to compare all pairs, as in quantile regression
        wide, narrow = ("outputs", "targets") if len(outputs) > len(targets) else ("targets", "outputs")
        self.found(
            f"The {wide} are {max(outputs, targets, key=len)} and the {narrow} "
            f"{min(outputs, targets, key=len)}: every row is compared with every other",
            why="the two are broadcast, and the best answer is the mean of the targets for all inputs",
            place=event.place,
            fix=f"Take the extra dimension of the {wide} away, such as with `squeeze(-1)`.",
            shapes=[list(outputs), list(targets)],
            loss=event.name,
        )


def _spread(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two shapes that hold the same rows are broadcast to more."""
    rows = [size for size in first if size != 1]
    if not rows or rows != [size for size in second if size != 1]:
        return False
    rank = max(len(first), len(second))
    padded = [(1,) * (rank - len(shape)) + shape for shape in (first, second)]
    return bool(math.prod(map(max, *padded)) > math.prod(rows))
