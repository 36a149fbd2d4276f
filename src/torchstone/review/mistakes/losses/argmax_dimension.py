"""The prediction is the argmax over the samples instead of over the classes.

## What it does
Reports `argmax` or `max` over the first dimension of a model's output, when the first dimension counts
samples and the result is compared with labels.

## Why is this bad?
Of scores `(samples, classes)` the prediction of each sample is the argmax over dimension 1. Over dimension
0 it is, for each class, the sample that has the most of it: the accuracy is that of chance, or the shapes
do not fit, and nothing says that the measure is wrong and not the model.

## References
- [argmax](https://docs.pytorch.org/docs/stable/generated/torch.argmax.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.arrays import array_of, given, whole
from torchstone.review.syntax.file import File
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.outputs import last_operations

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
