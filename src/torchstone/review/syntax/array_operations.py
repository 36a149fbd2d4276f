"""What the operations of torch, numpy and scikit-learn make of the shapes and types that they are given."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from torchstone.review.syntax.arguments import given, whole
from torchstone.review.syntax.array_data import TABLES, bunch
from torchstone.review.syntax.array_values import UNKNOWN, Array, Dtype, cast, dtype_of, of, without
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.outputs import sequential_layers

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.values import Value

Callers: TypeAlias = "tuple[tuple[Frame, ast.Call], ...]"
Path: TypeAlias = tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Place:
    """An expression, how its function was called, and which part of what it gives is meant.

    Args:
        frame: the function.
        node: the expression.
        callers: the calls that led into the frame, the innermost last.
        path: the position in what is unpacked.
        element: whether an element of it is meant, as a loop gives them.
        before: the position of what is looped over, in what is unpacked.
    """

    frame: Frame
    node: ast.expr
    callers: Callers = ()
    path: Path = ()
    element: bool = False
    before: Path = ()

    def at(self, node: ast.expr, path: Path = ()) -> Place:
        """Another expression of the same function."""
        return Place(self.frame, node, self.callers, path)


_FLOAT_MAKERS = words("randn rand normal linspace eye")
_SIZED = words("zeros ones empty full")
_ELEMENTWISE = words(
    "relu gelu tanh sigmoid softmax log_softmax exp log sqrt abs sin cos square clamp dropout leaky_relu "
    "elu silu softplus normalize nan_to_num"
)
_KEEPING = words(
    "to cuda cpu clone detach contiguous requires_grad_ copy clamp clamp_ abs type_as pin_memory numpy "
    "relu tanh sigmoid softmax log_softmax exp log sqrt masked_fill masked_fill_ fillna"
)
_SAME_LAYERS = words(
    "ReLU GELU Tanh Sigmoid Softmax LogSoftmax LeakyReLU ELU SiLU ReLU6 SELU Softplus Hardswish Dropout "
    "Dropout1d Dropout2d Dropout3d AlphaDropout BatchNorm1d BatchNorm2d BatchNorm3d LayerNorm GroupNorm "
    "InstanceNorm1d InstanceNorm2d Identity PReLU Mish TransformerEncoder TransformerEncoderLayer"
)
_PLACES = words("to cuda cpu clone detach contiguous copy pin_memory numpy")


class Operations:
    """What calls of libraries and layers make of arrays; whoever inherits says how an expression is read."""

    def read(self, place: Place) -> Array:
        """What is known of the tensor at a place."""
        raise NotImplementedError

    def layer(self, layer: Value, inner: Array, depth: int = 0) -> Array:
        """What a layer of torch makes of its input."""
        last = (layer.name or "").removeprefix("torch.nn.")
        made, frame = layer.call, layer.frame
        plain = replace(inner, dtype="float", low=None, high=None)
        if layer.cls is not None or depth > 8:
            return UNKNOWN
        if last in _SAME_LAYERS:
            return plain
        if last == "Sequential" and made is not None and frame is not None:
            for each in sequential_layers(frame, made) or [None]:
                inner = UNKNOWN if each is None else self.layer(each, inner, depth + 1)
            return inner
        if made is None or frame is None:
            return UNKNOWN
        size = whole(frame, given(made, 1, "out_features", "embedding_dim", "hidden_size"))
        if last in ("Linear", "LazyLinear"):
            size = whole(frame, given(made, 0, "out_features")) if last == "LazyLinear" else size
            if inner.shape:
                return plain.shaped((*inner.shape[:-1], size))
            return replace(plain, shape=None, last=size, least=max(inner.least, 2 if inner.batch else 1))
        if last == "Embedding":
            shape = (*inner.shape, size) if inner.shape is not None else None
            return plain.shaped(shape) if shape else replace(plain, last=size, least=inner.least + 1)
        if last == "Flatten" and not made.args and not made.keywords:
            if inner.rank is not None and inner.shape:
                return plain.shaped((inner.shape[0], None)) if inner.rank != 2 else plain
            return replace(of((None, None)), batch=inner.batch)
        if last in ("Conv2d", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d"):
            return plain.shaped((None,) * 4) if inner.rank == 4 else replace(UNKNOWN, batch=inner.batch)
        if last in ("LSTM", "GRU", "RNN"):
            return plain.shaped((*inner.shape[:-1], None)) if inner.shape else UNKNOWN
        return UNKNOWN

    def library(self, place: Place, node: ast.Call, name: str) -> Array:
        """What a function of a library gives."""
        root, _, last = name.partition(".")
        last = last.rsplit(".", 1)[-1]
        path = place.path
        first = node.args[0] if node.args else None
        if root == "sklearn":
            return self._sklearn(place, node, last)
        if root == "pandas":
            return of((None, None), None) if last.startswith("read_") and not path else UNKNOWN
        if root not in ("torch", "numpy"):
            return UNKNOWN
        if name in ("numpy.random.randn", "numpy.random.rand") and not path:
            return self._created(place, node, "randn", None)
        if last in ("randperm", "permutation") and not path:
            return of((None,), "int")
        if last in ("max", "min", "sort", "topk") and first is not None:
            return self._reduced(place, node, self.read(place.at(first)), last, 1)
        if path:
            return UNKNOWN
        dtype = dtype_of(place.frame, given(node, -1, "dtype"))
        if dtype == "?":
            return UNKNOWN
        if root == "torch" and (last in _FLOAT_MAKERS or last in _SIZED or last in ("randint", "arange")):
            return self._created(place, node, last, dtype)
        if first is None:
            return UNKNOWN
        inner = self.read(place.at(first))
        if last in ("tensor", "as_tensor", "from_numpy", "array", "asarray"):
            return cast(inner, dtype) if dtype else inner
        if last in ("FloatTensor", "Tensor") and root == "torch" and len(node.args) == 1:
            literal = inner.shape == () or inner.shape is None
            return replace(UNKNOWN if literal else inner, dtype="float")
        if last == "LongTensor" and len(node.args) == 1:
            return replace(inner if inner.shape else UNKNOWN, dtype="int")
        if last == "one_hot" and inner.shape is not None:
            size = whole(place.frame, given(node, 1, "num_classes"))
            return of((*inner.shape, size), "int")
        if last.endswith("_like"):
            plain = replace(inner, low=None, high=None)
            return replace(plain, dtype=dtype or ("float" if last.startswith("rand") else inner.dtype))
        if last in _ELEMENTWISE:
            return replace(inner, dtype="float" if last not in ("abs", "clamp") else inner.dtype, low=None)
        if last in ("sum", "mean", "argmax", "argmin", "unsqueeze", "squeeze", "flatten") and root == "torch":
            return self._reduced(place, node, inner, last, 1)
        return UNKNOWN

    def _created(self, place: Place, node: ast.Call, name: str, dtype: Dtype | None) -> Array:
        frame = place.frame
        if name == "linspace" or name == "arange":
            floats = name == "linspace" or any(self.read(place.at(a)).dtype == "float" for a in node.args)
            return of((None,), dtype or ("float" if floats else None))
        if name == "randint":
            ends = [whole(frame, a) for a in node.args]
            size = given(node, 2, "size") if len(node.args) > 2 else given(node, 1, "size")
            low = 0 if len(node.args) <= 2 and given(node, -1, "low") is None else ends[0]
            high = ends[0] if len(node.args) <= 2 and ends else ends[1] if len(ends) > 1 else None
            if not isinstance(size, ast.Tuple | ast.List):
                return UNKNOWN
            made = of(tuple(whole(frame, part) for part in size.elts), dtype or "int")
            return replace(made, low=low, high=high - 1) if high is not None and low is not None else made
        sizes = node.args
        if name == "full":
            sizes = node.args[:1]
        if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple | ast.List):
            sizes = sizes[0].elts
        elif (len(sizes) == 1 and whole(frame, sizes[0]) is None) or name in ("normal", "eye"):
            return UNKNOWN
        if any(isinstance(part, ast.Starred) for part in sizes) or not sizes:
            return UNKNOWN
        plain: Dtype | None = None if name == "full" else "float"
        return of(tuple(whole(frame, part) for part in sizes), dtype or plain)

    def _sklearn(self, place: Place, node: ast.Call, last: str) -> Array:
        path = place.path
        if last == "train_test_split" and path and path[0] is not None and path[0] // 2 < len(node.args):
            rows = self.read(place.at(node.args[path[0] // 2], path[1:]))
            return rows.shaped((None, *rows.shape[1:])) if rows.shape else replace(rows, shape=None)
        if last in TABLES and len(path) == 1 and path[0] in (0, 1):
            both = last.startswith("make_") or any(k.arg == "return_X_y" for k in node.keywords)
            narrowed = any(k.arg == "n_class" for k in node.keywords)
            return bunch(last, "target" if path[0] else "data") if both and not narrowed else UNKNOWN
        simple = not any(k.arg in ("n_targets", "coef") for k in node.keywords)
        if last in ("make_regression", "make_friedman1") and path in ((0,), (1,)) and simple:
            return of((None, None)) if path[0] == 0 else of((None,))
        if last in ("make_classification", "make_blobs") and path in ((0,), (1,)):
            return of((None, None)) if path[0] == 0 else of((None,), "int")
        return UNKNOWN

    def method(self, place: Place, node: ast.Call, function: ast.Attribute) -> Array:
        """What a method of an array gives."""
        name = function.attr
        if name in ("fit_transform", "transform", "inverse_transform") and len(node.args) == 1:
            rows = self.read(place.at(node.args[0]))
            return replace(rows, dtype="float", low=None, high=None) if rows.rank == 2 else UNKNOWN
        inner = self.read(place.at(function.value))
        if name in ("max", "min", "sort", "topk"):
            return self._reduced(place, node, inner, name, 0)
        if place.path:
            return UNKNOWN
        if name in ("float", "double", "half"):
            return replace(inner, dtype="float")
        if name in ("long", "int", "bool"):
            return cast(inner, "bool" if name == "bool" else "int")
        if name in ("to", "astype", "type"):
            asked = given(node, 0, "dtype")
            dtype = dtype_of(place.frame, asked)
            changed = dtype if dtype != "?" else dtype_of(place.frame, given(node, -1, "dtype"))
            unknown = name != "to" and changed in (None, "?")
            return (
                replace(inner, dtype=None)
                if unknown or (changed == "?" and name != "to")
                else (cast(inner, changed) if changed and changed != "?" else inner)
            )
        if name in _KEEPING:
            return replace(inner, low=None) if name not in _PLACES else inner
        if name in ("view", "reshape"):
            return self._viewed(place, node, inner)
        if name in ("ravel", "flatten") and not node.args and not node.keywords:
            return inner.shaped((None,))
        if name == "view_as" and node.args:
            other = self.read(place.at(node.args[0]))
            return (
                inner.shaped(other.shape) if other.shape is not None else replace(UNKNOWN, dtype=inner.dtype)
            )
        if name == "gather":
            index = self.read(place.at(node.args[1])) if len(node.args) > 1 else UNKNOWN
            return replace(of(index.shape), dtype=inner.dtype) if index.shape is not None else UNKNOWN
        if name in ("sum", "mean", "argmax", "argmin", "unsqueeze", "squeeze", "flatten"):
            return self._reduced(place, node, inner, name, 0)
        return UNKNOWN

    def _viewed(self, place: Place, node: ast.Call, inner: Array) -> Array:
        sizes = node.args
        if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple | ast.List):
            sizes = sizes[0].elts
        elif len(sizes) == 1 and whole(place.frame, sizes[0]) is None:
            return UNKNOWN
        if not sizes or any(isinstance(part, ast.Starred) for part in sizes):
            return UNKNOWN
        shape = tuple(n if (n := whole(place.frame, p)) is not None and n >= 0 else None for p in sizes)
        return replace(inner.shaped(shape), batch=False)

    def _reduced(self, place: Place, node: ast.Call, inner: Array, name: str, position: int) -> Array:
        """The operations that take or add a dimension."""
        asked = given(node, position, "dim", "axis")
        axis = whole(place.frame, asked)
        keep = given(node, position + 1, "keepdim", "keepdims")
        kept = isinstance(keep, ast.Constant) and keep.value is True
        if name in ("max", "min") and (axis is None or len(place.path) != 1):
            return UNKNOWN
        if name in ("sort", "topk") or inner.shape is None:
            return UNKNOWN
        rank = len(inner.shape)
        dtype: Dtype | None = inner.dtype
        if name.startswith("arg") or (name in ("max", "min") and place.path == (1,)):
            dtype = "int"
        made = replace(inner, dtype=dtype, low=None, high=None)
        if name == "flatten":
            return replace(made.shaped((*inner.shape[:1], None)), batch=inner.batch) if axis == 1 else UNKNOWN
        if name == "squeeze":
            if asked is None:
                small = len(inner.shape) and all(size is not None for size in inner.shape)
                alone = len(inner.shape) == 2 and inner.shape[1] == 1 and inner.shape[0] is None
                shape = tuple(s for s in inner.shape if s != 1) if small or alone else None
                return replace(inner, low=inner.low).shaped(shape)
            if axis is None or not -rank <= axis < rank or inner.shape[axis] is None:
                return UNKNOWN
            return inner.shaped(without(inner.shape, axis)) if inner.shape[axis] == 1 else inner
        if name == "unsqueeze":
            if axis is None or not -rank - 1 <= axis <= rank:
                return UNKNOWN
            axis = axis if axis >= 0 else axis + rank + 1
            return replace(
                inner.shaped((*inner.shape[:axis], 1, *inner.shape[axis:])), batch=inner.batch and axis > 0
            )
        if asked is None:
            return made.shaped(()) if not node.args[position:] else UNKNOWN
        if (
            axis is None
            or not -rank <= axis < rank
            or (keep is not None and not isinstance(keep, ast.Constant))
        ):
            return UNKNOWN
        batch = made.batch and axis % rank != 0
        if kept:
            axis %= rank
            return replace(made.shaped((*inner.shape[:axis], 1, *inner.shape[axis + 1 :])), batch=batch)
        return replace(made.shaped(without(inner.shape, axis)), batch=batch)
