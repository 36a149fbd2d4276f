"""What reading can tell of a tensor: its shape, its dtype, the range of labels, whether rows are samples."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import argument_of, reaching
from torchstone.review.syntax.outputs import sequential_layers

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.scopes import Binding
    from torchstone.review.syntax.values import Value

Dtype = Literal["float", "int", "bool"]
Shape: TypeAlias = tuple[int | None, ...]
Callers: TypeAlias = "tuple[tuple[Frame, ast.Call], ...]"
Path: TypeAlias = tuple[int | None, ...]

_MOST = 1500
_DEEPEST = 60


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


def array_of(frame: Frame, node: ast.expr) -> Array:
    """What is known of the tensor that an expression gives."""
    cache = frame.file.cache.setdefault("arrays", {})
    key = (frame, node)
    if key not in cache:
        cache[key] = _Reader().read(Place(frame, node))
    found: Array = cache[key]
    return found


def whole(frame: Frame, node: ast.expr | None) -> int | None:
    """The whole number that an expression stands for."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = whole(frame, node.operand)
        return -inner if inner is not None else None
    value = frame.value(node) if node is not None else None
    constant = value.constant if value is not None and value.kind == "constant" else None
    return constant if isinstance(constant, int) and not isinstance(constant, bool) else None


def given(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    """An argument of a call, by its position or one of its names."""
    for keyword in call.keywords:
        if keyword.arg in names:
            return keyword.value
    if 0 <= position < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args):
        return call.args[position]
    return None


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
_PEELED = {"iter", "list", "tuple", "reversed", "sorted", "next"}
_TABLES = {
    "load_digits": (64, 10),
    "load_iris": (4, 3),
    "load_wine": (13, 3),
    "load_breast_cancer": (30, 2),
    "load_diabetes": (10, None),
    "fetch_california_housing": (8, None),
    "make_moons": (2, 2),
    "make_circles": (2, 2),
}
_PICTURES = {"MNIST": 10, "FashionMNIST": 10, "KMNIST": 10, "CIFAR10": 10, "CIFAR100": 100, "STL10": None}


class _Reader:
    def __init__(self) -> None:
        self._busy: set[tuple[object, ...]] = set()
        self._steps = 0

    def read(self, place: Place) -> Array:
        """What is known of the tensor at a place."""
        key = (place.frame, place.node, place.path, place.element, place.before)
        self._steps += 1
        if key in self._busy or len(self._busy) > _DEEPEST or self._steps > _MOST:
            return UNKNOWN
        self._busy.add(key)
        try:
            ways = list(self._ways(place))
            if len(ways) == 1 and ways[0] is place:
                return self._element(place) if place.element else self._evaluate(place)
            return join([self.read(way) if way is not None else UNKNOWN for way in ways])
        finally:
            self._busy.discard(key)

    # Where a name leads

    def _ways(self, place: Place) -> Iterator[Place | None]:
        """The expressions that a name, an attribute or a call of the project stands for."""
        node, frame = place.node, place.frame
        if isinstance(node, ast.Name):
            bindings = reaching(frame, node)
            if not bindings:
                yield None
            for binding in bindings:
                yield from self._bound(place, binding)
        elif isinstance(node, ast.IfExp):
            for part in (node.body, node.orelse):
                yield replace(place, node=part)
        elif isinstance(node, ast.Tuple | ast.List) and place.path and not place.element:
            position = place.path[0]
            known = position is not None and -len(node.elts) <= position < len(node.elts)
            starred = any(isinstance(part, ast.Starred) for part in node.elts)
            yield place.at(node.elts[position or 0], place.path[1:]) if known and not starred else None
        elif isinstance(node, ast.Tuple | ast.List) and place.before:
            position = place.before[0]
            known = position is not None and position < len(node.elts)
            part = node.elts[position or 0] if known else node
            yield replace(place, node=part, before=place.before[1:]) if known else None
        elif isinstance(node, ast.Attribute) and (stores := list(self._stores(place, node))):
            yield from stores
        elif isinstance(node, ast.Call) and (inner := self._entered(frame, node)) is not None:
            callers = (*place.callers, (frame, node))
            returns = [r.value for r in inner.scope.returns]
            if not returns or inner.scope.is_generator:
                yield None
            for value in returns:
                yield replace(place, frame=inner, node=value, callers=callers) if value else None
        else:
            yield place

    def _bound(self, place: Place, binding: Binding) -> Iterator[Place | None]:
        frame = place.frame
        callers = place.callers
        if binding.scope is not frame.scope:
            frame, callers = frame.file.root(binding.scope), ()
        if binding.kind == "parameter":
            yield from self._arguments(place, frame, callers, binding.name)
        elif binding.kind == "assign" and binding.value is not None:
            inner = replace(place, frame=frame, node=binding.value, callers=callers)
            if place.element:
                yield replace(inner, before=(*binding.path, *place.before))
            else:
                yield replace(inner, path=(*binding.path, *place.path))
        elif binding.kind == "for" and binding.value is not None and not place.element:
            yield Place(frame, binding.value, callers, (*binding.path, *place.path), True)
        else:
            yield None

    def _arguments(self, place: Place, frame: Frame, callers: Callers, name: str) -> Iterator[Place | None]:
        sites: list[tuple[Frame, ast.Call, Callers]] = []
        if callers:
            caller, call = callers[-1]
            sites = [(caller, call, callers[:-1])]
        elif frame.arguments is None:
            sites = [(caller, call, ()) for caller, call, _ in frame.file.callers(frame.scope)]
            if frame.scope.name == "forward" and frame.scope.method_of is not None:
                sites += [(caller, call, ()) for caller, call in frame.file.passes(frame.scope)]
        if not sites:
            yield None
        for caller, call, rest in sites:
            argument = argument_of(frame, call, name)
            if argument is None:
                yield None
            else:
                yield replace(place, frame=caller, node=argument, callers=rest)

    def _stores(self, place: Place, node: ast.Attribute) -> Iterator[Place | None]:
        base = place.frame.value(node.value)
        if base is None or base.cls is None:
            return
        for cls in base.cls.lineage():
            for store in cls.file.index.stores[cls.scope].get(node.attr, ()):
                if store.value is None:
                    yield None
                    continue
                frame = cls.file.method_frame(base, store.scope)
                made = store.scope.name == "__init__" and base.call is not None and base.frame is not None
                callers = ((base.frame, base.call),) if made and base.frame and base.call else ()
                there = replace(place, frame=frame, node=store.value, callers=callers)
                if place.element:
                    yield replace(there, before=(*store.path, *place.before))
                else:
                    yield replace(there, path=(*store.path, *place.path))

    def _entered(self, frame: Frame, node: ast.Call) -> Frame | None:
        called = frame.value(node.func)
        if called is None or called.kind not in ("function", "module"):
            return None
        inner = frame.callee(node)
        return inner if inner is not None and not isinstance(inner.scope.node, ast.Lambda) else None

    # Loaders and data sets

    def _element(self, place: Place) -> Array:
        """What a loop over the expression gives."""
        node, path = place.node, place.path
        if not isinstance(node, ast.Call) or place.before:
            return UNKNOWN
        name = place.frame.file.callable_name(place.frame, node) or ""
        if name == "enumerate" and node.args:
            if not path or path[0] != 1:
                return UNKNOWN
            return self.read(replace(place, node=node.args[0], path=path[1:]))
        if node.args and (name in _PEELED or name.startswith("tqdm.")):
            return self.read(replace(place, node=node.args[0]))
        if name != "torch.utils.data.DataLoader" or not path:
            return UNKNOWN
        size = given(node, 1, "batch_size")
        unusual = {"collate_fn", "batch_sampler", "sampler"} & {k.arg for k in node.keywords} or any(
            k.arg is None for k in node.keywords
        )
        data = given(node, 0, "dataset")
        if data is None or unusual or (isinstance(size, ast.Constant) and size.value is None):
            return UNKNOWN
        sample = self._sample(place.at(data, path))
        if len(path) > 1 and sample == UNKNOWN:
            return UNKNOWN  # a part of a part may as well be a row of a tensor
        if sample.shape is None:
            return replace(sample, last=None, least=sample.least + 1, batch=True)
        return replace(sample.shaped((None, *sample.shape)), batch=True)

    def _sample(self, place: Place) -> Array:
        """One part of a sample of a data set."""
        ways = list(self._ways(place))
        if len(ways) != 1 or ways[0] is not place:
            if len(self._busy) > _DEEPEST or self._steps > _MOST:
                return UNKNOWN
            self._steps += 10
            return join([self._sample(way) if way is not None else UNKNOWN for way in ways])
        node, path = place.node, place.path
        if not isinstance(node, ast.Call) or not path:
            return UNKNOWN
        name = place.frame.name(node.func) or ""
        last = name.rsplit(".", 1)[-1]
        if name == "torch.utils.data.random_split" and node.args and len(path) > 1:
            return self._sample(place.at(node.args[0], path[1:]))
        if name == "torch.utils.data.Subset" and node.args:
            return self._sample(place.at(node.args[0], path))
        if name == "torch.utils.data.TensorDataset" and isinstance(path[0], int):
            if path[0] >= len(node.args) or len(path) > 1:
                return UNKNOWN
            rows = self.read(place.at(node.args[path[0]]))
            shape = rows.shape[1:] if rows.shape else None
            return rows.shaped(shape) if shape is not None else replace(UNKNOWN, dtype=rows.dtype)
        if name.startswith("torchvision.datasets.") and last in _PICTURES:
            if any(k.arg == "target_transform" for k in node.keywords):
                return UNKNOWN
            return of((None, None, None)) if path[0] == 0 else _labels((), _PICTURES[last])
        made = place.frame.value(node)
        if made is None or made.kind != "dataset" or made.cls is None:
            return UNKNOWN
        found = made.cls.method("__getitem__")
        if found is None:
            return UNKNOWN
        inner = found[0].file.method_frame(made, found[1])
        returns = [r.value for r in found[1].returns]
        return join([self.read(Place(inner, r, (), path)) if r else UNKNOWN for r in returns])

    # Expressions

    def _evaluate(self, place: Place) -> Array:
        node = place.node
        if isinstance(node, ast.Call):
            return self._call(place, node)
        if isinstance(node, ast.Subscript):
            return self._subscript(place, node)
        if place.path:
            return UNKNOWN
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool):
                return of((), "bool")
            if isinstance(node.value, int):
                return replace(of((), "int"), low=node.value, high=node.value)
            return of(()) if isinstance(node.value, float) else UNKNOWN
        if isinstance(node, ast.List | ast.Tuple) and node.elts:
            parts = [self.read(place.at(part)) for part in node.elts]
            inside = join(parts)
            return inside.shaped((len(parts), *inside.shape)) if inside.shape is not None else UNKNOWN
        if isinstance(node, ast.Attribute):
            return self._attribute(place, node)
        if isinstance(node, ast.UnaryOp):
            inner = self.read(place.at(node.operand))
            if isinstance(node.op, ast.USub) and inner.low is not None and inner.high is not None:
                return replace(inner, low=-inner.high, high=-inner.low)
            return replace(inner, low=None, high=None)
        if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.MatMult):
            return self._arithmetic(place, node)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = self.read(place.at(node.left)), self.read(place.at(node.comparators[0]))
            both = _broadcast(left, right)
            return replace(both, dtype="bool", low=0, high=1) if both.shape is not None else UNKNOWN
        return UNKNOWN

    def _arithmetic(self, place: Place, node: ast.BinOp) -> Array:
        left, right = self.read(place.at(node.left)), self.read(place.at(node.right))
        result = _broadcast(left, right)
        if isinstance(node.op, ast.Div):
            return replace(result, dtype="float")
        both = (left.dtype, right.dtype)
        result = replace(result, dtype=None)
        if "float" in both:
            result = replace(result, dtype="float")
        elif both == ("int", "int"):
            result = replace(result, dtype="int")
        if (
            left.low is not None
            and left.high is not None
            and right.shape == ()
            and right.low is not None
            and right.low == right.high
        ):
            if isinstance(node.op, ast.Add):
                return replace(result, low=left.low + right.low, high=left.high + right.low)
            if isinstance(node.op, ast.Sub):
                return replace(result, low=left.low - right.low, high=left.high - right.low)
        return result

    def _attribute(self, place: Place, node: ast.Attribute) -> Array:
        if node.attr in ("data", "target", "images"):
            table = self._table(place.at(node.value))
            if table is not None:
                return _bunch(table, node.attr)
        inner = self.read(place.at(node.value))
        if node.attr in ("data", "values"):
            return inner
        if node.attr in ("T", "mT") and inner.rank == 2 and inner.shape is not None:
            return replace(inner.shaped((inner.shape[1], inner.shape[0])), batch=False)
        return UNKNOWN

    def _table(self, place: Place, depth: int = 0) -> str | None:
        """The function of scikit-learn that gave a data set."""
        ways = list(self._ways(place))
        if len(ways) != 1 or ways[0] is None or depth > 8:
            return None
        if ways[0] is not place:
            return self._table(ways[0], depth + 1)
        if isinstance(place.node, ast.Call) and not place.path:
            name = place.frame.name(place.node.func) or ""
            last = name.rsplit(".", 1)[-1]
            narrowed = any(k.arg not in ("as_frame",) for k in place.node.keywords) or place.node.args
            return last if name.startswith("sklearn.datasets.") and last in _TABLES and not narrowed else None
        return None

    def _subscript(self, place: Place, node: ast.Subscript) -> Array:
        index = whole(place.frame, node.slice)
        if index is not None:
            part = self.read(place.at(node.value, (index, *place.path)))
            if part != UNKNOWN:
                return part
        if place.path:
            return UNKNOWN
        inner = self.read(place.at(node.value))
        if inner.shape is None:
            return UNKNOWN
        for i in _indices(node.slice):
            if not isinstance(i, ast.Slice | ast.Constant) and self.read(place.at(i)).dtype != "int":
                inner = replace(inner, low=None, high=None)  # a mask may choose by the very values
        return _indexed(inner, node.slice, [self._rank(place.at(i)) for i in _indices(node.slice)])

    def _rank(self, place: Place) -> int | None:
        """The number of dimensions of an index."""
        node, scope = place.node, place.frame.scope
        if isinstance(node, ast.Name) and scope.name == "__getitem__" and node.id in scope.parameters[1:2]:
            return 0
        if isinstance(node, ast.List) and node.elts:
            return 1
        return self.read(place).rank if not isinstance(node, ast.Slice) else None

    def _call(self, place: Place, node: ast.Call) -> Array:
        called = place.frame.value(node.func)
        if called is not None and called.kind == "library":
            return self._library(place, node, called.name or "")
        if called is not None and called.kind == "module":
            if called.name in ("torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN") and place.path != (0,):
                return UNKNOWN
            argument = self.read(place.at(node.args[0])) if node.args else UNKNOWN
            return self._layer(called, argument)
        if called is None and isinstance(node.func, ast.Attribute):
            return self._method(place, node, node.func)
        return UNKNOWN

    def _layer(self, layer: Value, inner: Array, depth: int = 0) -> Array:
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
                inner = UNKNOWN if each is None else self._layer(each, inner, depth + 1)
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

    def _library(self, place: Place, node: ast.Call, name: str) -> Array:
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
        dtype = _dtype(place.frame, given(node, -1, "dtype"))
        if dtype == "?":
            return UNKNOWN
        if root == "torch" and (last in _FLOAT_MAKERS or last in _SIZED or last in ("randint", "arange")):
            return self._created(place, node, last, dtype)
        if first is None:
            return UNKNOWN
        inner = self.read(place.at(first))
        if last in ("tensor", "as_tensor", "from_numpy", "array", "asarray"):
            return _cast(inner, dtype) if dtype else inner
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
        if last in _TABLES and len(path) == 1 and path[0] in (0, 1):
            both = last.startswith("make_") or any(k.arg == "return_X_y" for k in node.keywords)
            narrowed = any(k.arg == "n_class" for k in node.keywords)
            return _bunch(last, "target" if path[0] else "data") if both and not narrowed else UNKNOWN
        simple = not any(k.arg in ("n_targets", "coef") for k in node.keywords)
        if last in ("make_regression", "make_friedman1") and path in ((0,), (1,)) and simple:
            return of((None, None)) if path[0] == 0 else of((None,))
        if last in ("make_classification", "make_blobs") and path in ((0,), (1,)):
            return of((None, None)) if path[0] == 0 else of((None,), "int")
        return UNKNOWN

    def _method(self, place: Place, node: ast.Call, function: ast.Attribute) -> Array:
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
            return _cast(inner, "bool" if name == "bool" else "int")
        if name in ("to", "astype", "type"):
            asked = given(node, 0, "dtype")
            dtype = _dtype(place.frame, asked)
            changed = dtype if dtype != "?" else _dtype(place.frame, given(node, -1, "dtype"))
            unknown = name != "to" and changed in (None, "?")
            return (
                replace(inner, dtype=None)
                if unknown or (changed == "?" and name != "to")
                else (_cast(inner, changed) if changed and changed != "?" else inner)
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
            return inner.shaped(_without(inner.shape, axis)) if inner.shape[axis] == 1 else inner
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
        return replace(made.shaped(_without(inner.shape, axis)), batch=batch)


_PLACES = words("to cuda cpu clone detach contiguous copy pin_memory numpy")


def _without(shape: Shape, axis: int) -> Shape:
    axis %= len(shape)
    return (*shape[:axis], *shape[axis + 1 :])


def _labels(shape: Shape, classes: int | None) -> Array:
    made = of(shape, "int")
    return replace(made, low=0, high=classes - 1) if classes is not None else made


def _bunch(table: str, attribute: str) -> Array:
    columns, classes = _TABLES[table]
    if attribute == "images":
        return of((None, 8, 8))
    if attribute == "data":
        return of((None, columns))
    return _labels((None,), classes) if classes is not None else of((None,))


def _cast(array: Array, dtype: Dtype | str | None) -> Array:
    if dtype == "int" and array.dtype in ("int", "bool"):
        return replace(array, dtype="int")
    if dtype == "float":
        return replace(array, dtype="float")
    return replace(array, dtype=dtype, low=None, high=None)  # type: ignore[arg-type]


def _dtype(frame: Frame, node: ast.expr | None) -> Dtype | Literal["?"] | None:
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


def _broadcast(left: Array, right: Array) -> Array:
    if left.shape is None or right.shape is None:
        return UNKNOWN
    length = max(len(left.shape), len(right.shape))
    first = (1,) * (length - len(left.shape)) + left.shape
    second = (1,) * (length - len(right.shape)) + right.shape
    shape = tuple(
        b if a == 1 else a if b == 1 or a == b else None for a, b in zip(first, second, strict=True)
    )
    return replace(UNKNOWN.shaped(shape), batch=left.batch or right.batch)


def _indices(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def _indexed(inner: Array, node: ast.expr, ranks: list[int | None]) -> Array:
    """What indexing leaves: slices keep a dimension, numbers take it, None adds one, an array keeps it."""
    shape = list(inner.shape or ())
    result: list[int | None] = []
    for part, rank in zip(_indices(node), ranks, strict=True):
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
    sliced = isinstance(_indices(node)[0], ast.Slice)
    return replace(inner.shaped((*result, *shape)), batch=inner.batch and sliced)
