"""The column that the model shall predict is among the columns that it is given.

## What it does
Follows inputs and targets that are put side by side back to the table they were cut from, and reports inputs
that still hold the target's column. A watched run compares the columns of the inputs with the targets over
a whole pass of training, where one number is predicted for each row of a table.

## Why is this bad?
The model copies the answer: its score is near perfect in training, in validation and in test, and worth
nothing where the answer is not known. Nothing fails.

## References
- [Common pitfalls: data leakage](https://scikit-learn.org/stable/common_pitfalls.html#data-leakage)
"""

from __future__ import annotations

import ast
import re
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor
from torchstone.review.syntax.columns import Callers, Columns, changes, columns_of, written_names
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.outputs import loss_calls

if TYPE_CHECKING:
    from torchstone.review.epochs import Epoch
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS411"
NAME = "target-in-features"
SEVERITY: Severity = "error"
MENTIONS = (
    "TensorDataset|values|loc|to_numpy|read_csv|read_excel|read_parquet|loadtxt|genfromtxt|DataFrame",
)

BAD = (
    Example(
        """
        import pandas as pd
        import torch
        from torch.utils.data import TensorDataset

        houses = pd.read_csv("houses.csv")
        y = houses["price"].values
        X = houses.drop(columns=["id"]).values  # TS411
        data = TensorDataset(torch.tensor(X), torch.tensor(y))
        """
    ),
    Example(
        """
        import numpy as np
        import torch
        from torch.utils.data import TensorDataset

        table = np.loadtxt("houses.csv", delimiter=",")
        X, y = table[:, 1:], table[:, -1]  # TS411
        data = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
        """
    ),
)
GOOD = (
    """
    import numpy as np
    import torch
    from torch.utils.data import TensorDataset

    table = np.random.randn(100, 5)
    X, y = table[:, :-1], table[:, -1]
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    """,
)

_TABLES = words("values iloc loc to_numpy read_csv read_excel read_parquet loadtxt genfromtxt DataFrame")
_TABLE = re.compile(r"\b(read_\w+|loadtxt|genfromtxt|DataFrame|iloc|values|to_numpy)\b")


def check(file: File) -> Iterator[Finding]:
    """Looks at what is put side by side: in a TensorDataset, in a sample, in a loss."""
    project = any(name in file.source.text for name in _TABLES)
    if not project and "TensorDataset" not in file.source.text:
        return
    reported: set[ast.AST] = set()
    for node, frame, first, second, tensors in (*_datasets(file), *_samples(file), *_losses(file)):
        for callers in _sites(frame):
            features, target = columns_of(frame, first, callers), columns_of(frame, second, callers)
            if features is None or target is None or not (tensors or features.array):
                continue
            if features.node not in reported and _leaks(features, target):
                reported.add(features.node)
                yield _finding(file, node, features, target)


_Pair = tuple[ast.expr, Frame, ast.expr, ast.expr, bool]


def _datasets(file: File) -> Iterator[_Pair]:
    for call in file.index.calls_by_name.get("TensorDataset", ()):
        frame = file.frame_of(call)
        if len(call.args) == 2 and frame.name(call.func) == "torch.utils.data.TensorDataset":
            yield call, frame, call.args[0], call.args[1], True


def _samples(file: File) -> Iterator[_Pair]:
    for cls in file.classes:
        for scope in cls.methods():
            if scope.name == "__getitem__" and len(scope.returns) == 1:
                value = scope.returns[0].value
                if isinstance(value, ast.Tuple) and len(value.elts) == 2:
                    yield value, file.root(scope), value.elts[0], value.elts[1], False


def _losses(file: File) -> Iterator[_Pair]:
    for loss in loss_calls(file):
        output, frame = loss.output, loss.frame
        if isinstance(output, ast.Name):
            bindings = reaching(frame, output)
            if len(bindings) == 1 and bindings[0].kind == "assign" and bindings[0].value is not None:
                output = bindings[0].value
        if not isinstance(output, ast.Call) or len(output.args) != 1 or loss.target is None:
            continue
        model = frame.value(output.func)
        if model is not None and model.kind == "module":
            yield loss.node, frame, output.args[0], loss.target, False


def _sites(frame: Frame) -> list[Callers]:
    """The calls that may have led here: of a method those that made its object."""
    scope = frame.scope
    if not scope.is_function:
        return [()]
    if scope.method_of is not None:
        found = frame.file.class_of(scope.method_of).method("__init__")
        scope = found[1] if found is not None else scope
    return [((caller, call),) for caller, call, _ in frame.file.callers(scope)] or [()]


def _leaks(features: Columns, target: Columns) -> bool:
    if features.table != target.table or features.rows != target.rows:
        return False
    if not features.chosen.holds(target.chosen) or len(target.chosen.names) > 3:
        return False
    by_place = target.chosen.kind == "places"
    if by_place and not _is_table(features.root):
        return False  # the first or last of a made-up row may well be a task
    return not _changed(features, target)


def _is_table(root: ast.expr) -> bool:
    return isinstance(root, ast.Call) and bool(_TABLE.search(ast.unparse(root.func)))


def _changed(features: Columns, target: Columns) -> bool:
    """Whether the target's column may be taken out, or overwritten, on the way."""
    for file, scope, name in (*features.names, *target.names):
        for node, columns in changes(file, scope, name):
            if columns is None:
                return True
            elsewhere = file not in (target.frame.file, features.frame.file)
            after = elsewhere or getattr(node, "lineno", 0) > min(target.node.lineno, features.node.lineno)
            written = written_names(file.frame_of(node), columns)
            if after and (written is None or written & target.chosen.names):
                return True
    return False


def _finding(file: File, pair: ast.expr, features: Columns, target: Columns) -> Finding:
    node = features.node if features.frame.file is file else pair
    related = [file.related(pair, "inputs and targets are put side by side here")] if node is not pair else []
    home = target.frame.file
    related.append(home.related(target.node, "the target is taken here"))
    name = next(iter(sorted(target.chosen.names)), "")
    column = f"the target's column `{name}`" if name else "the target's column"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{ast.unparse(features.node)}` still holds {column}, `{ast.unparse(target.node)}`",
        why="the model reads the answer from its input: its score says nothing",
        fix=Fix("Leave the target's column out of the inputs."),
        related=tuple(related),
    )


_FEWEST = 64
"""So many rows have to hold their target."""

_BATCHES = 500
"""So many batches of a pass are compared; the rest is as they are."""


class _Columns:
    """Which columns of a loader's inputs are the target, in all rows of a pass so far.

    Args:
        epoch: the pass.
    """

    def __init__(self, epoch: Epoch) -> None:
        self.epoch = epoch
        self.same: set[int] | None = None
        """None before the first batch."""
        self.rows = 0
        self.values: set[float] = set()
        """Some of the targets."""
        self.fed = 0
        """So many batches went into a model with all their columns."""
        self.compared = 0
        """So many losses compared outputs with these targets."""

    def add(self, inputs: Any, targets: Any) -> None:
        """Takes a batch."""
        wanted = targets.detach().reshape(-1, 1).double()
        differs = (inputs.detach().double() - wanted).abs() > 1e-5 * wanted.abs().clamp(min=1e-3)
        same = {column for column, other in enumerate(differs.any(dim=0).tolist()) if not other}
        self.same = same if self.same is None else self.same & same
        self.rows += len(inputs)
        if len(self.values) < _FEWEST:
            self.values.update(wanted.reshape(-1).tolist())

    def are_sure(self) -> bool:
        """Whether a column surely is the target, and the model was given it to predict the target."""
        return bool(
            self.same
            and self.epoch.trains
            and self.rows >= _FEWEST
            and len(self.values) > 1
            and min(self.fed, self.compared) >= 2
        )


class Watch(Detector):
    """Looks whether a column of the inputs is the target in each row of a pass that is trained on."""

    AFTER = ("batch",)

    PAUSES = frozenset({"batch", "forward_began", "loss"})

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._columns: _Columns | None = None
        self._inputs: Any = None
        self._targets: Any = None

    def on_batch(self, event: Event) -> None:
        """Compares its columns with its targets."""
        samples, epoch = event.samples, event.epoch
        self._inputs = self._targets = None
        known = self._columns
        if (
            epoch.number > 1
            or epoch.batches > _BATCHES
            or not _can_be_compared(samples.inputs, samples.targets)
        ):
            return
        if known is None or known.epoch is not epoch:
            if epoch.batches > 1:  # another loader was read in between
                return
            self._columns = known = _Columns(epoch)
        if known.same is None or known.same:
            known.add(samples.inputs, samples.targets)
            self._inputs, self._targets = weakref.ref(samples.inputs), weakref.ref(samples.targets)

    def on_forward_began(self, event: Event) -> None:
        """Whether the model gets all columns."""
        inputs = None if self._inputs is None else self._inputs()
        if self._columns is not None and inputs is not None and self._columns.fed < 2:
            given = (*event.args, *event.kwargs.values())
            self._columns.fed += any(_are_equal(one, inputs) for one in given)

    def on_loss(self, event: Event) -> None:
        """Whether the targets are what the outputs are compared with."""
        targets = None if self._targets is None else self._targets()
        if self._columns is None or targets is None or self._columns.compared >= 2:
            return
        self._columns.compared += _are_equal(event.targets, targets)

    def on_epoch_ended(self, event: Event) -> None:
        """Judges the pass."""
        known = self._columns
        if known is None or known.epoch is not event.epoch:
            return
        self._columns = None
        if known.are_sure():
            column = min(known.same or ())
            self.found(
                f"Column {column} of the inputs is the target: both are the same in all {known.rows} rows of "
                "a pass",
                why="the model copies the answer, which is not known where it is used",
                place=known.epoch.shown,
                fix=f"Leave column {column} out of the inputs.",
                related=((known.epoch.place, "this pass was trained on"),) if known.epoch.made else (),
                column=column,
                rows=known.rows,
            )


def _can_be_compared(inputs: Any, targets: Any) -> bool:
    """Whether a batch on the host holds rows of several numbers, and one number to predict for each."""
    if inputs is None or targets is None or inputs is targets or inputs.dim() != 2 or inputs.shape[1] < 2:
        return False
    usual = not inputs.is_sparse and not targets.is_sparse and not targets.is_complex()
    here = inputs.device.type == targets.device.type == "cpu"
    one_each = len(inputs) == len(targets) == targets.numel() > 0
    return bool(usual and here and one_each and inputs.is_floating_point())


def _are_equal(given: Any, values: Any) -> bool:
    """Whether a tensor has these values, perhaps in another shape, type or place."""
    if given is values:
        return True
    if not is_tensor(given) or given.numel() != values.numel() or given.is_complex():
        return False
    flat = given.detach().reshape(-1).double().cpu()
    return bool((flat == values.detach().reshape(-1).double()).all())
