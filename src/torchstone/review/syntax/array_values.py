"""What is known of a tensor: its shape, its dtype, the range of its labels; and how that is combined."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame

Dtype = Literal["float", "int", "bool"]
Shape: TypeAlias = tuple[int | None, ...]


@dataclass(frozen=True)
class Array:
    """What is known of a tensor or an array.

    Args:
        shape: its sizes, None for a size that is not known; None: not even their number is known.
        last: the last size.
        least: how many dimensions it has at least.
        dtype: its family of types.
        low: the smallest of its whole numbers.
        high: the greatest.
        batch: whether the first dimension counts the samples of a loader's batch.
    """

    shape: Shape | None = None
    last: int | None = None
    least: int = 0
    dtype: Dtype | None = None
    low: int | None = None
    high: int | None = None
    batch: bool = False

    @property
    def rank(self) -> int | None:
        """The number of dimensions."""
        return len(self.shape) if self.shape is not None else None

    def shaped(self, shape: Shape | None) -> Array:
        """The same values in a known shape."""
        if shape is None:
            return replace(self, shape=None, last=None, least=0, batch=False)
        return replace(self, shape=shape, last=shape[-1] if shape else None, least=len(shape))


UNKNOWN = Array()


def of(shape: Shape, dtype: Dtype | None = "float") -> Array:
    """An array of a shape."""
    return Array(dtype=dtype).shaped(shape)


def join(arrays: Sequence[Array]) -> Array:
    """What is true of all of them."""
    first, *others = arrays or (UNKNOWN,)
    for other in others:
        shape = None
        if first.shape is not None and other.shape is not None and len(first.shape) == len(other.shape):
            pairs = zip(first.shape, other.shape, strict=True)
            shape = tuple(a if a == b else None for a, b in pairs)
        ranged = first.low is not None and other.low is not None
        first = Array(
            shape,
            first.last if first.last == other.last else None,
            min(first.least, other.least),
            first.dtype if first.dtype == other.dtype else None,
            min(first.low or 0, other.low or 0) if ranged else None,
            max(first.high or 0, other.high or 0) if ranged else None,
            first.batch and other.batch,
        )
    return first


def without(shape: Shape, axis: int) -> Shape:
    """A shape with one dimension taken away."""
    axis %= len(shape)
    return (*shape[:axis], *shape[axis + 1 :])


def cast(array: Array, dtype: Dtype | str | None) -> Array:
    """The array with its values in another type."""
    if dtype == "int" and array.dtype in ("int", "bool"):
        return replace(array, dtype="int")
    if dtype == "float":
        return replace(array, dtype="float")
    return replace(array, dtype=dtype, low=None, high=None)  # type: ignore[arg-type]


def dtype_of(frame: Frame, node: ast.expr | None) -> Dtype | Literal["?"] | None:
    """The family of a dtype that is given; None when none is, "?" when it cannot be told."""
    if node is None:
        return None
    name = frame.name(node) or (node.id if isinstance(node, ast.Name) else "")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        name = node.value
    last = name.rsplit(".", 1)[-1]
    if last.startswith(("float", "double", "half", "bfloat")):
        return "float"
    if last.startswith(("int", "long", "uint8", "short")):
        return "int"
    return "bool" if last.startswith("bool") else "?"


def broadcast(left: Array, right: Array) -> Array:
    """The shape of an operation on two arrays."""
    if left.shape is None or right.shape is None:
        return UNKNOWN
    length = max(len(left.shape), len(right.shape))
    first = (1,) * (length - len(left.shape)) + left.shape
    second = (1,) * (length - len(right.shape)) + right.shape
    shape = tuple(
        b if a == 1 else a if b == 1 or a == b else None for a, b in zip(first, second, strict=True)
    )
    return replace(UNKNOWN.shaped(shape), batch=left.batch or right.batch)


def indices(node: ast.expr) -> list[ast.expr]:
    """The parts of an index, one for each dimension."""
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def indexed(inner: Array, node: ast.expr, ranks: list[int | None]) -> Array:
    """What indexing leaves: slices keep a dimension, numbers take it, None adds one, an array keeps it."""
    shape = list(inner.shape or ())
    result: list[int | None] = []
    for part, rank in zip(indices(node), ranks, strict=True):
        if isinstance(part, ast.Constant) and part.value is None:
            result.append(1)
            continue
        if not shape or (isinstance(part, ast.Constant) and part.value is Ellipsis):
            return UNKNOWN
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            # A column of a table.
            return replace(UNKNOWN, dtype=inner.dtype).shaped((None,)) if len(shape) == 2 else UNKNOWN
        size = shape.pop(0)
        if isinstance(part, ast.Slice):
            whole_axis = part.lower is None and part.upper is None and part.step is None
            result.append(size if whole_axis else None)
        elif rank == 1:
            result.append(None)
        elif rank != 0:
            return UNKNOWN
    sliced = isinstance(indices(node)[0], ast.Slice)
    return replace(inner.shaped((*result, *shape)), batch=inner.batch and sliced)
