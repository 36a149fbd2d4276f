"""Inputs are shuffled and their targets are not, or not in the same order.

## What it does
Looks at what `TensorDataset` or `train_test_split` puts side by side, and reports an input or target that was
indexed with a permutation drawn on the spot, which no other array can share.

A run cannot show it: data whose targets were shuffled apart looks like data from which nothing can be
learned. Only the source tells which of the two it is.

## Why is this bad?
Each input gets another one's target. The model has nothing to learn but the average, and the loss stays where
it began.

## References
- [numpy.random.Generator.permutation](https://numpy.org/doc/stable/reference/random/generated/numpy.random.Generator.permutation.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.origins import origins, reaching

CODE = "TS408"
NAME = "misaligned-targets"
SEVERITY: Severity = "error"
MENTIONS = ("randperm|permutation", "TensorDataset|train_test_split")

BAD = (
    Example(
        """
        import torch
        from torch.utils.data import TensorDataset

        inputs = torch.randn(100, 4)
        targets = inputs.sum(dim=1)
        shuffled = inputs[torch.randperm(100)]  # TS408
        data = TensorDataset(shuffled, targets)
        """
    ),
)
GOOD = (
    """
    import torch
    from torch.utils.data import TensorDataset

    inputs = torch.randn(100, 4)
    targets = inputs.sum(dim=1)
    order = torch.randperm(100)
    data = TensorDataset(inputs[order], targets[order])
    """,
)

_PAIRED = ("torch.utils.data.TensorDataset", "sklearn.model_selection.train_test_split")
_PERMUTATIONS = ("torch.randperm", "numpy.random.permutation")
_SEEDS = ("seed", "manual_seed", "set_state", "set_rng_state", "default_rng", "RandomState", "Generator")

_TARGETS = re.compile(r"^y|_y$|label|target|class", re.IGNORECASE)
_MEANT = re.compile(r"perm|rand|null|neg|noise|fake", re.IGNORECASE)


def check(file: File) -> Iterator[Finding]:
    """Looks at what is put side by side."""
    if not any(name in file.source.text for name in ("randperm", "permutation")):
        return
    if any(len(file.index.calls_by_name.get(name, ())) > 1 for name in _SEEDS):
        return  # perhaps the same order is drawn twice
    for last in ("TensorDataset", "train_test_split"):
        for call in file.index.calls_by_name.get(last, ()):
            frame = file.frame_of(call)
            if len(call.args) == 2 and frame.name(call.func) in _PAIRED:
                yield from _shuffled(file, frame, call)


def _shuffled(file: File, frame: Frame, call: ast.Call) -> Iterator[Finding]:
    for argument, other in (call.args, reversed(call.args)):
        own = _drawn_here(frame, argument)
        if own is None or not _is_pair(call, own):
            continue
        if any(origin.node is own for origin in origins(frame, other)):
            continue  # made from the shuffled one
        yield _finding(file, call, own, other)
        return


def _is_pair(call: ast.Call, own: ast.Subscript) -> bool:
    """Whether the names say that they are inputs and targets, and not unpaired or mixed up on purpose."""
    names = [ast.unparse(node) for node in (*call.args, own.value)]
    written = [name for name in names if "randperm" not in name and "permutation" not in name]
    return any(_TARGETS.search(n) for n in written) and not any(_MEANT.search(n) for n in written)


def _drawn_here(frame: Frame, node: ast.expr) -> ast.Subscript | None:
    """The expression `x[torch.randperm(n)]` that an argument is."""
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path:
            return None
        if bindings[0].scope is not frame.scope or bindings[0].value is None:
            return None
        node = bindings[0].value
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Call):
        return None
    return node if frame.name(node.slice.func) in _PERMUTATIONS and not node.slice.keywords else None


def _finding(file: File, call: ast.Call, own: ast.Subscript, other: ast.expr) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        own,
        f"`{ast.unparse(own)}` draws an order that `{ast.unparse(other)}` does not share",
        why="each input gets another one's target, so there is nothing to learn",
        fix=Fix("Draw the permutation once, and index both with it."),
        related=(file.related(call, "put side by side here"),),
    )
