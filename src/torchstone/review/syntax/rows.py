"""Which rows a data set holds: those of what, and which part of them."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import Origin, reaching, resolved
from torchstone.review.syntax.scopes import FunctionNode

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame

Selection: TypeAlias = tuple[object, ...]

_DEEPEST = 25
_SAME = words(
    "tensor as_tensor from_numpy array asarray FloatTensor LongTensor Tensor long int float double to astype "
    "reshape view unsqueeze squeeze to_numpy copy clone contiguous numpy cpu cuda type transform "
    "fit_transform"
)
"""Functions and methods that keep the rows as they are."""
_RANDOM = words("randn rand randint normal randn_like rand_like random uniform standard_normal")
_TRANSFORMS = words("transform target_transform download transforms")
_POSITIONS = {"root": 0, "train": 1, "split": 1}


@dataclass(frozen=True)
class Rows:
    """Rows of something.

    Args:
        base: what they are rows of; equal for the same thing.
        origin: where that is made.
        parts: the selections made from it, one after the other; none: all rows.
    """

    base: object
    origin: Origin
    parts: tuple[Selection, ...] = ()

    def part(self, *selection: object) -> Rows:
        """Some of these rows."""
        return replace(self, parts=(*self.parts, selection))

    @property
    def is_noise(self) -> bool:
        """Whether they are drawn at random, as data that only takes a place is."""
        node = self.origin.node
        while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _RANDOM:
                return True
            node = node.func.value
        if isinstance(node, ast.BinOp):
            return any(
                replace(self, origin=Origin(self.origin.frame, side)).is_noise
                for side in (node.left, node.right)
            )
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _RANDOM


def overlap(first: Rows, second: Rows) -> bool:
    """Whether two surely share rows: the same rows, or some and all that they are of."""
    if first.base != second.base:
        return False
    for mine, other in zip(first.parts, second.parts, strict=False):
        if mine == other:
            continue
        return mine[0] == other[0] == "slice" and _share(mine, other)
    return True


def _share(first: Selection, second: Selection) -> bool:
    """Whether two slices with known ends share rows."""
    (_, low, high), (_, other_low, other_high) = first, second
    if low == other_low and low is None:
        return True  # both from the start
    if high == other_high and high is None:
        return True  # both to the end
    ends = [low, high, other_low, other_high]
    if not all(end is None or (isinstance(end, int) and end >= 0) for end in ends):
        return False
    start = max(end for end in (low or 0, other_low or 0) if isinstance(end, int))
    stops = [end for end in (high, other_high) if isinstance(end, int)]
    return not stops or start < min(stops)


def rows_of(here: Origin) -> Rows | None:
    """The rows of a data set or array; None when they cannot be told from others."""
    return _rows(here, 0)


def _rows(here: Origin, depth: int) -> Rows | None:
    here = resolved(here)
    if depth > _DEEPEST:
        return None
    node = here.node
    if isinstance(node, ast.Subscript) and not here.path:
        return _subscript(here, node, depth)
    if isinstance(node, ast.Call):
        return _call(here, node, depth)
    if isinstance(node, ast.Name | ast.Attribute):
        key = expression_key(here, node)
        return Rows((*key, here.path), here) if key is not None else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div):
        return _rows(Origin(here.frame, node.left, here.callers), depth + 1)
    return None


def _subscript(here: Origin, node: ast.Subscript, depth: int) -> Rows | None:
    index = node.slice
    if isinstance(index, ast.Tuple) and index.elts:
        index = index.elts[0]
    if isinstance(index, ast.Constant):
        return None
    if isinstance(index, ast.Slice) and index.lower is None and index.upper is None:
        return _rows(Origin(here.frame, node.value, here.callers), depth + 1) if index.step is None else None
    if isinstance(index, ast.List) and all(isinstance(each, ast.Constant) for each in index.elts):
        return _rows(Origin(here.frame, node.value, here.callers), depth + 1)  # columns of a table
    base = _rows(Origin(here.frame, node.value, here.callers), depth + 1)
    if base is None:
        return None
    if isinstance(index, ast.Slice):
        if index.step is not None:
            return None
        ends = [_end(here, end) for end in (index.lower, index.upper)]
        return base.part("slice", *ends)
    return _chosen(base, Origin(here.frame, index, here.callers))


def _end(here: Origin, node: ast.expr | None) -> object:
    """One end of a slice: a number, or what tells an expression from others."""
    if node is None:
        return None
    constant = resolved(Origin(here.frame, node, here.callers)).node
    if isinstance(constant, ast.Constant) and isinstance(constant.value, int):
        return constant.value
    return expression_key(here, node) or object()


def _chosen(base: Rows, index: Origin) -> Rows | None:
    """The rows that a variable with indices chooses."""
    here = resolved(index)
    if isinstance(here.node, ast.Subscript) and isinstance(here.node.slice, ast.Slice):
        inner = _rows(here, 0)
        return replace(base, parts=(*base.parts, ("of", inner.base), *inner.parts)) if inner else None
    key = expression_key(here, here.node)
    return base.part("indices", key, here.path) if key is not None else None


def _call(here: Origin, node: ast.Call, depth: int) -> Rows | None:
    name = here.frame.name(node.func) or ""
    last = name.rsplit(".", 1)[-1]
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        return None
    if last == "train_test_split" and here.path and here.path[0] is not None and node.args:
        array, part = divmod(here.path[0], 2)
        if array >= len(node.args):
            return None
        base = _rows(Origin(here.frame, node.args[array], here.callers), depth + 1)
        return base.part("split", node, part) if base is not None else None
    if last == "random_split" and here.path and node.args:
        base = _rows(Origin(here.frame, node.args[0], here.callers), depth + 1)
        return base.part("split", node, here.path[0]) if base is not None else None
    if here.path:
        return _made(here, node)
    if name == "torch.utils.data.Subset" and len(node.args) == 2:
        base = _rows(Origin(here.frame, node.args[0], here.callers), depth + 1)
        return _chosen(base, Origin(here.frame, node.args[1], here.callers)) if base is not None else None
    if name == "torch.utils.data.TensorDataset" and node.args:
        return _rows(Origin(here.frame, node.args[0], here.callers), depth + 1)
    if isinstance(node.func, ast.Attribute) and node.func.attr in _SAME:
        of = node.args[0] if (name or node.func.attr in ("transform", "fit_transform")) else node.func.value
        return _rows(Origin(here.frame, of, here.callers), depth + 1)
    if name and last in _SAME and node.args:
        return _rows(Origin(here.frame, node.args[0], here.callers), depth + 1)
    return _made(here, node)


def _made(here: Origin, node: ast.Call) -> Rows | None:
    """What a call makes: the same for the same call, and for the same data set of files made twice."""
    callers = tuple(id(call) for _, call in here.callers)
    key: object = (id(node), here.frame.path, callers, here.path)
    name = here.frame.name(node.func) or ""
    if name.startswith("torchvision.datasets.") and not name.endswith("FakeData"):
        described = _arguments(here, node, 1 if "Folder" in name else 2)
        key = (name, described) if described is not None else key
    return Rows(key, here)


def _arguments(here: Origin, node: ast.Call, most: int) -> object | None:
    """The arguments of a data set but its transforms."""
    found: list[tuple[object, object]] = []
    for number, argument in enumerate(node.args[:most]):
        found.append((number, expression_key(here, argument)))
    for keyword in node.keywords:
        if keyword.arg is None:
            return None
        if keyword.arg not in _TRANSFORMS:
            position = _POSITIONS.get(keyword.arg)
            name = keyword.arg if position is None else position
            found.append((name, expression_key(here, keyword.value)))
    if any(key is None for _, key in found):
        return None
    return frozenset(found)


def expression_key(here: Origin, node: ast.expr) -> tuple[object, ...] | None:
    """What tells an expression from others that read alike; None when its names may mean several things."""
    if isinstance(node, ast.Constant):
        return (repr(node.value),)
    parts: list[object] = [ast.unparse(node)]
    for each in ast.walk(node):
        if isinstance(each, ast.Call | ast.Lambda | ast.ListComp | ast.GeneratorExp):
            if not _is_length(here.frame, each):
                return None
        elif isinstance(each, ast.Name):
            bindings = reaching(here.frame, each)
            if any(b.kind not in ("assign", "parameter", "import", "function", "class") for b in bindings):
                return None
            parts.append(bindings)
            if any(isinstance(b.scope.node, FunctionNode) and b.kind == "parameter" for b in bindings):
                parts.append((here.frame.path, tuple(id(call) for _, call in here.callers)))
    return tuple(parts)


def _is_length(frame: Frame, node: ast.AST) -> bool:
    """Calls that give the same for the same: `len(x)`, `int(x)`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    return node.func.id in ("len", "int", "round", "str") and frame.value(node.func) is None
