"""The column that the model shall predict is among the columns that it is given.

## What it does
Follows inputs and targets that are put side by side back to the table they were cut from, and reports inputs
that still hold the target's column.

## Why is this bad?
The model copies the answer: its score is near perfect in training, in validation and in test, and worth
nothing where the answer is not known. Nothing fails.

## References
- [Common pitfalls: data leakage](https://scikit-learn.org/stable/common_pitfalls.html#data-leakage)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.columns import Callers, Columns, changes, columns_of, written_names
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.outputs import loss_calls

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
