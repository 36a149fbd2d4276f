"""A regression loss compares every prediction with every target, because one has a column too many.

## What it does
Works out the shapes of prediction and target, through models, data sets, loaders and helpers, and reports a
regression loss that is given `(N, 1)` and `(N,)`.

A watched run compares the shapes that each regression loss is given: the same rows, of which one side has a
dimension more. Pairs that were made with as many dimensions on both sides, as in quantile regression, are
meant. Of a loss that is written out, such as `((outputs - targets) ** 2).mean()`, it looks at the shapes in
the graph: outputs of a model, as they come, whose difference from what needs no gradient has all pairs.

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
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.assignments import made_at, name_given
from torchstone.review.detector import Detector, sampled
from torchstone.review.graphs import operation, shape
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor
from torchstone.review.syntax.arrays import Array, array_of
from torchstone.review.syntax.file import File
from torchstone.review.syntax.outputs import loss_calls

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

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


_FEW = 4
"""So many operations are looked through between a loss and the difference."""

_FEWEST = 3
_TIMES = 2


class Watch(Detector):
    """Looks at the shapes that a regression loss is given, at every step, and at those in graphs."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._outputs: dict[int, tuple[int, ...]] = {}
        """By number of the operation that made it, the shape of what a model gave since the last backward."""
        self._times: dict[Place | None, int] = {}

    @sampled
    def on_forward(self, event: Event) -> None:
        """An output of one number for each sample."""
        node = event.output.grad_fn if is_tensor(event.output) else None
        if event.root and node is not None:
            sizes = tuple(event.output.shape)
            if sizes in ((sizes[0],), (sizes[0], 1)) if sizes else False:
                self._outputs[node._sequence_nr()] = sizes

    @sampled
    def on_backward(self, event: Event) -> None:
        """A loss that is written out: seen at a second step, it is how the loss is computed."""
        outputs, self._outputs = self._outputs, {}
        difference = _squared(event.subject) if outputs else None
        if difference is None:
            return
        result, side = shape(difference), _only_input(difference)
        given = shape(side)
        while operation(side) == "Squeeze" and _only_input(side) is not None:
            side = _only_input(side)
        made = outputs.get(side._sequence_nr())
        if made is None or given is None or made[0] < _FEWEST or result != (made[0], made[0]):
            return
        place = event.place
        self._times[place] = self._times.get(place, 0) + 1
        if self._times[place] == _TIMES:
            self._tell_written(event, given, made[0])

    def _tell_written(self, event: Event, given: tuple[int, ...], rows: int) -> None:
        frame, place = event.frame, event.place
        name = None if frame is None or place is None else name_given(frame, place.line, event.subject)
        line = made_at(frame, place.line, name) if name and frame is not None and place is not None else None
        targets = (rows, 1) if len(given) == 1 else (rows,)
        self.found(
            f"The outputs are {given}, the targets {targets}, and their difference is {(rows, rows)}: every "
            "row is compared with every other",
            why="the two are broadcast, and the best answer is the mean of the targets for all inputs",
            place=line or place,
            fix="Give both the same shape, such as with `squeeze(-1)` of the side that has a dimension more.",
            related=((place, "the loss is gone back through here"),) if line else (),
            shapes=[list(given), list(targets)],
        )

    def on_loss(self, event: Event) -> None:
        """One look is enough: shapes do not lie."""
        if event.name not in _LOSSES or not is_tensor(event.targets):
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


def _squared(loss: Any) -> Any:
    """The node of the one difference whose squares or amounts a loss is the sum or mean of; None for none."""
    node = getattr(loss, "grad_fn", None)
    if operation(node) not in ("Mean", "Sum"):
        return None
    for _ in range(_FEW):
        node = _only_input(node)
        if operation(node) in ("Sub", "Rsub"):
            return node if _only_input(node) is not None else None
        if operation(node) not in ("Pow", "Abs", "Mul", "Sqrt", "Div"):
            return None
    return None


def _only_input(node: Any) -> Any:
    """The node of the one input with a graph, perhaps given twice as in `d * d`; None for none or several."""
    inputs = list({id(each): each for each, _ in node.next_functions if each is not None}.values())
    return inputs[0] if len(inputs) == 1 else None


def _spread(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two shapes that hold the same rows are broadcast to more."""
    rows = [size for size in first if size != 1]
    if not rows or rows != [size for size in second if size != 1]:
        return False
    rank = max(len(first), len(second))
    padded = [(1,) * (rank - len(shape)) + shape for shape in (first, second)]
    return bool(math.prod(map(max, *padded)) > math.prod(rows))
