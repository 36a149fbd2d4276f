"""Where a program divides its rows into those that are trained on and those that are evaluated on."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchstone.review.syntax.origins import reaching

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame

SPLITS = frozenset(
    {
        "sklearn.model_selection.train_test_split",
        "sklearn.cross_validation.train_test_split",
        "torch.utils.data.random_split",
    }
)
_PARTS = re.compile(r"train|test|val|eval|dev(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Split:
    """One division of rows.

    Args:
        node: the call, or the slice that takes the first part.
        frame: where it stands.
        data: what is divided.
        what: how the code says it.
    """

    node: ast.expr
    frame: Frame
    data: tuple[ast.expr, ...]
    what: str


def splits(file: File) -> list[Split]:
    """All divisions of rows in a file."""
    key = "splits"
    if key not in file.cache:
        file.cache[key] = [*_calls(file), *_slices(file)]
    found: list[Split] = file.cache[key]
    return found


def is_split(frame: Frame, node: ast.expr) -> bool:
    """Whether an expression is a call that divides rows."""
    return isinstance(node, ast.Call) and frame.name(node.func) in SPLITS


def _calls(file: File) -> list[Split]:
    found = []
    for last in ("train_test_split", "random_split"):
        for node in file.index.calls_by_name.get(last, ()):
            frame = file.frame_of(node)
            if frame.name(node.func) not in SPLITS:
                continue
            data = node.args[:1] if last == "random_split" else node.args
            data = data or [k.value for k in node.keywords if k.arg == "dataset"]
            whole = tuple(each for each in data if not isinstance(each, ast.Starred))
            found.append(Split(node, frame, whole, f"`{ast.unparse(node.func)}`"))
    return found


def _slices(file: File) -> list[Split]:
    """`x[:n]` and `x[n:]` of the same `x`, given to names that say which part is which."""
    first: dict[tuple[object, ...], ast.Subscript] = {}
    second: dict[tuple[object, ...], ast.Subscript] = {}
    names: dict[ast.Subscript, str] = {}
    for node in file.index.nodes[ast.Subscript]:
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            continue
        rows = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
        if not isinstance(rows, ast.Slice) or rows.step is not None:
            continue
        target = _target(file, node)
        if not _PARTS.search(target):
            continue
        names[node] = target.lower()
        frame = file.frame_of(node)
        key: tuple[object, ...] = (frame.scope, node.value.id, reaching(frame, node.value))
        if rows.lower is None and rows.upper is not None:
            first[(*key, ast.unparse(rows.upper))] = node
        elif rows.upper is None and rows.lower is not None:
            second[(*key, ast.unparse(rows.lower))] = node
    found = []
    for key, node in first.items():
        other = second.get(key)
        if other is not None and "train" in names[node] and "train" not in names[other]:
            what = f"`{ast.unparse(node)}` and `{ast.unparse(other)}`"
            found.append(Split(node, file.frame_of(node), (node.value,), what))
    return found


def _target(file: File, node: ast.expr) -> str:
    """The name that gets an expression, also as one part of a tuple."""
    path: list[int] = []
    child: ast.AST = node
    for parent in file.index.ancestors(node):
        if isinstance(parent, ast.Tuple) and isinstance(child, ast.expr):
            path.append(parent.elts.index(child))
        elif isinstance(parent, ast.Assign):
            target: ast.expr = parent.targets[0]
            for position in reversed(path):
                if isinstance(target, ast.Tuple) and position < len(target.elts):
                    target = target.elts[position]
            return ast.unparse(target)
        elif isinstance(parent, ast.stmt):
            return ""
        child = parent
    return ""
