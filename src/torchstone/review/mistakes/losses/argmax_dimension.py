"""The prediction is the argmax over the samples instead of over the classes.

## What it does
Reports `argmax` or `max` over the first dimension of a model's output, when the first dimension counts
samples and the result is compared with labels. While a program runs, which dimension counts classes is known
from what cross-entropy is given; where there are as many samples as classes it takes two batches to be sure.
A run also shows an argmax over the only column of a model's output, compared with labels: it is always 0.

## Why is this bad?
Of scores `(samples, classes)` the prediction of each sample is the argmax over dimension 1. Over dimension
0 it is, for each class, the sample that has the most of it: the accuracy is that of chance, or the shapes
do not fit, and nothing says that the measure is wrong and not the model.

## References
- [argmax](https://docs.pytorch.org/docs/stable/generated/torch.argmax.html)
"""

from __future__ import annotations

import ast
import importlib
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor
from torchstone.review.syntax.arrays import array_of, given, whole
from torchstone.review.syntax.file import File
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.outputs import last_operations

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS309"
NAME = "argmax-dimension"
SEVERITY: Severity = "error"
MENTIONS = ("argmax|.max",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
        x, y = torch.randn(8, 4), torch.randint(0, 8, (8,))
        predicted = model(x).argmax(dim=0)  # TS309
        accuracy = (predicted == y).float().mean()
        """,
        fixed="""
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
        x, y = torch.randn(8, 4), torch.randint(0, 8, (8,))
        predicted = model(x).argmax(dim=1)
        accuracy = (predicted == y).float().mean()
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
    x, y = torch.randn(8, 4), torch.randint(0, 8, (8,))
    predicted = model(x).argmax(dim=1)
    accuracy = (predicted == y).float().mean()
    best_of_each_class = model(x).argmax(dim=0)
    """,
)

_SAME = ("view_as", "view", "squeeze", "cpu", "to", "detach", "numpy", "long", "int", "data")
_CLASSES = {"linear", "softmax", "log_softmax", "sigmoid"}


def check(file: File) -> Iterator[Finding]:
    """Looks at each `argmax` and each `max` over a dimension."""
    for name in ("argmax", "max"):
        for node in file.index.calls_by_name.get(name, ()):
            if not isinstance(node.func, ast.Attribute):
                continue
            by_torch = (file.name(node.func) or "").startswith("torch.")
            source = given(node, 0, "input") if by_torch else node.func.value
            axis = given(node, 1 if by_torch else 0, "dim")
            frame = file.frame_of(node)
            if source is None or whole(frame, axis) not in (0, -2) or axis is None:
                continue
            scores = array_of(frame, source)
            rows = scores.rank == 2 or (scores.rank is None and scores.batch and scores.least >= 2)
            if not rows or (scores.rank is None and whole(frame, axis) != 0):
                continue
            operations = last_operations(frame, source)
            if operations is None or any(operation.kind not in _CLASSES for operation in operations):
                continue
            comparison = _compared(file, node)
            if comparison is not None:
                yield _finding(file, node, source, axis, comparison)


def _compared(file: File, node: ast.Call) -> ast.expr | None:
    """Where the result is compared for equality, directly or by its name."""
    found = _in_comparison(file, node)
    if found is not None:
        return found
    statement = file.statement(node)
    if not isinstance(statement, ast.Assign):
        return None
    for name in file.index.nodes[ast.Name]:
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Load):
            bindings = reaching(file.frame_of(name), name)
            if len(bindings) == 1 and bindings[0].node is statement and bindings[0].path in ((), (1,)):
                found = _in_comparison(file, name)
                if found is not None:
                    return found
    return None


def _in_comparison(file: File, node: ast.expr) -> ast.expr | None:
    here: ast.AST = node
    for parent in file.index.ancestors(node):
        if isinstance(parent, ast.Compare):
            return parent if len(parent.ops) == 1 and isinstance(parent.ops[0], ast.Eq) else None
        if isinstance(parent, ast.Call):
            name = parent.func.attr if isinstance(parent.func, ast.Attribute) else ""
            if name == "eq":
                return parent
            if parent.func is not here or name not in _SAME:
                return None
        elif not isinstance(parent, ast.Attribute | ast.Subscript):
            return None
        here = parent
    return None


def _finding(file: File, node: ast.Call, source: ast.expr, axis: ast.expr, comparison: ast.expr) -> Finding:
    edits = (file.replace(axis, "1"),)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"the prediction is taken over dimension 0 of `{ast.unparse(source)}`, which counts the samples",
        why="each sample's class is the argmax over dimension 1; this compares sample numbers with labels",
        fix=Fix("Take it over dimension 1.", safe=False, edits=edits),
        related=(file.related(comparison, "compared with the labels here"),),
    )


_CERTAIN = 2
"""So many batches with as many samples as classes."""


class _Outputs:
    """Knows the last output of a model that has as many rows as what it was given."""

    def __init__(self) -> None:
        self.last: weakref.ref[Any] | None = None

    def on_forward(self, event: Event) -> None:
        """A model gives scores."""
        if event.root:
            output, given = event.output, event.args[0] if event.args else None
            if _rows(output) is not None and _rows(output) == _rows(given):  # not the number of a loss
                self.last = weakref.ref(output)


class Watch(Detector):
    """Looks what the largest over the first dimension is compared with."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._classes: set[int] = set()
        """How many there are, as cross-entropy saw it in batches of another size."""
        self._outputs: _Outputs | None = None
        self._chosen: tuple[weakref.ref[Any], tuple[int, ...], bool, Place | None] | None = None
        """Positions, the shape of the scores, whether a model gave these, and the line."""
        self._of_one: tuple[weakref.ref[Any], int, Place | None] | None = None
        """Positions in the one column that a model gave, their number, and the line."""
        self._times: dict[Place, int] = {}

    @sampled
    def on_loss(self, event: Event) -> None:
        """Cross-entropy has the classes second."""
        shape = event.subject.shape
        if event.name in ("cross_entropy", "nll_loss") and len(shape) == 2 and shape[0] != shape[1]:
            self._classes.add(int(shape[1]))

    def on_chosen(self, event: Event) -> None:
        """The largest over the first dimension was taken."""
        scores = event.subject
        if scores.shape[1] not in self._classes:
            return
        self._follow()
        given = self._is_given(scores)
        self._chosen = weakref.ref(event.result), tuple(scores.shape), given, event.place

    def on_chosen_of_one(self, event: Event) -> None:
        """The largest of a single column was taken."""
        self._follow()
        if self._is_given(event.subject):
            self._of_one = weakref.ref(event.result), int(event.subject.shape[0]), event.place

    def _follow(self) -> None:
        if self._outputs is None:
            self._outputs = _Outputs()
            self.stream.subscribe(self._outputs)
            importlib.import_module("torchstone.review.events.choosing").follow(self.stream)

    def _is_given(self, scores: Any) -> bool:
        last = None if self._outputs is None else self._outputs.last
        return last is not None and last() is scores

    def _compared_of_one(self, event: Event) -> None:
        """Zeros are compared with a label for each sample."""
        if self._of_one is None:
            return
        reference, rows, place = self._of_one
        pair = (event.subject, event.other)
        other = next((b for a, b in (pair, pair[::-1]) if _is_same(a, reference())), None)
        if other is None or other.numel() != rows or place is None:
            return
        self._of_one = None
        self._times[place] = self._times.get(place, 0) + 1
        if self._times[place] == _CERTAIN:
            self.found(
                f"The prediction is the argmax over the one column of scores, ({rows}, 1): it is always 0",
                why="the accuracy counts the samples of class 0, whatever the model computes",
                place=place,
                fix="Of one score the class is `scores > 0`; or let the model give one for each class.",
                related=((event.place, "compared with the labels here"),) if event.place != place else (),
                shape=[rows, 1],
            )

    def on_comparing(self, event: Event) -> None:
        """Positions are compared with labels, one for each sample."""
        self._compared_of_one(event)
        if self._chosen is None:
            return
        reference, (rows, classes), given, place = self._chosen
        pair = (event.subject, event.other)
        other = next((b for a, b in (pair, pair[::-1]) if _is_same(a, reference())), None)
        if other is None or other.is_floating_point() or tuple(other.shape) != (rows,) or place is None:
            return
        self._chosen = None
        if rows == classes:
            if not given or _counts_up(other):
                return
            self._times[place] = self._times.get(place, 0) + 1
        if rows != classes or self._times[place] >= _CERTAIN:
            self._report(event, place, rows, classes)

    def _report(self, event: Event, place: Place, rows: int, classes: int) -> None:
        self.found(
            f"The prediction is taken over dimension 0 of scores of shape ({rows}, {classes}), which counts "
            "the samples, and compared with their labels",
            why="the class of a sample is the argmax over dimension 1; these are numbers of samples",
            place=place,
            fix="Take it over dimension 1.",
            related=((event.place, "compared with the labels here"),) if event.place != place else (),
            shape=[rows, classes],
        )


def _rows(value: Any) -> int | None:
    return int(value.shape[0]) if getattr(value, "shape", ()) else None


def _is_same(tensor: Any, chosen: Any) -> bool:
    """Whether a tensor is the chosen positions, or a view of them."""
    return chosen is not None and (tensor is chosen or (is_tensor(tensor) and tensor._base is chosen))


def _counts_up(labels: Any) -> bool:
    """Whether each row's label is its own number, as where rows and columns are pairs."""
    return bool(labels.tolist() == list(range(len(labels))))
