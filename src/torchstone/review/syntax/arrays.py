"""What reading can tell of a tensor: its shape, its dtype, the range of labels, whether rows are samples."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from torchstone.review.syntax.arguments import given as given
from torchstone.review.syntax.arguments import whole as whole
from torchstone.review.syntax.array_data import PICTURES, TABLES, bunch, labels_of
from torchstone.review.syntax.array_operations import Callers, Operations, Place
from torchstone.review.syntax.array_values import UNKNOWN, broadcast, indexed, indices, join, of
from torchstone.review.syntax.array_values import Array as Array
from torchstone.review.syntax.origins import argument_of, reaching

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.scopes import Binding

_MOST = 1500
_DEEPEST = 60
_PEELED = {"iter", "list", "tuple", "reversed", "sorted", "next"}


def array_of(frame: Frame, node: ast.expr) -> Array:
    """What is known of the tensor that an expression gives."""
    cache = frame.file.cache.setdefault("arrays", {})
    key = (frame, node)
    if key not in cache:
        cache[key] = _Reader().read(Place(frame, node))
    found: Array = cache[key]
    return found


class _Reader(Operations):
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
        if name.startswith("torchvision.datasets.") and last in PICTURES:
            if any(k.arg == "target_transform" for k in node.keywords):
                return UNKNOWN
            return of((None, None, None)) if path[0] == 0 else labels_of((), PICTURES[last])
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
            both = broadcast(left, right)
            return replace(both, dtype="bool", low=0, high=1) if both.shape is not None else UNKNOWN
        return UNKNOWN

    def _arithmetic(self, place: Place, node: ast.BinOp) -> Array:
        left, right = self.read(place.at(node.left)), self.read(place.at(node.right))
        result = broadcast(left, right)
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
                return bunch(table, node.attr)
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
            return last if name.startswith("sklearn.datasets.") and last in TABLES and not narrowed else None
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
        for i in indices(node.slice):
            if not isinstance(i, ast.Slice | ast.Constant) and self.read(place.at(i)).dtype != "int":
                inner = replace(inner, low=None, high=None)  # a mask may choose by the very values
        return indexed(inner, node.slice, [self._rank(place.at(i)) for i in indices(node.slice)])

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
            return self.library(place, node, called.name or "")
        if called is not None and called.kind == "module":
            if called.name in ("torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN") and place.path != (0,):
                return UNKNOWN
            argument = self.read(place.at(node.args[0])) if node.args else UNKNOWN
            return self.layer(called, argument)
        if called is None and isinstance(node.func, ast.Attribute):
            return self.method(place, node, node.func)
        return UNKNOWN
