"""Which columns of which table an expression holds: the way back from tensors to the table."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import argument_of, reaching

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.scopes import Binding, Scope

Callers: TypeAlias = "tuple[tuple[Frame, ast.Call], ...]"
Path: TypeAlias = tuple[int | None, ...]
Bounds: TypeAlias = tuple[int | None, int | None]

_DEEPEST = 40
_SAME_METHODS = words(
    "to_numpy numpy astype float long double int copy clone to cuda cpu type reshape view unsqueeze squeeze "
    "flatten ravel contiguous requires_grad_ fillna round tolist to_frame map replace"
)
"""Methods that keep columns and rows as they are, as far as targets and features are concerned."""
_ARRAYS = words("values to_numpy numpy")
_FUNCTIONS = words(
    "tensor as_tensor from_numpy FloatTensor LongTensor Tensor array asarray log log1p float32"
)
_SCALERS = words(
    "StandardScaler MinMaxScaler RobustScaler MaxAbsScaler QuantileTransformer PowerTransformer LabelEncoder "
    "OrdinalEncoder LabelBinarizer OneHotEncoder Normalizer"
)
_NO_COLUMNS = words("T columns index shape size dtype dtypes str dt data feature_names target_names")
READERS = words("read_csv read_excel read_parquet read_table read_json read_sql loadtxt genfromtxt DataFrame")


@dataclass(frozen=True)
class Selection:
    """Some columns of a table.

    Args:
        kind: `all`, `names` (only these), `without` (all but these), `places` (by number).
        names: the names.
        places: the numbers.
        bounds: the ends of a slice of places.
    """

    kind: Literal["all", "names", "without", "places"] = "all"
    names: frozenset[str] = frozenset()
    places: frozenset[int] = frozenset()
    bounds: Bounds | None = None

    def then(self, other: Selection) -> Selection | None:
        """What a selection of a selection holds; None when that cannot be told."""
        if other.kind == "all" or self.kind == "all":
            return self if other.kind == "all" else other
        if self.kind == "places" or other.kind == "places":
            return None
        if other.kind == "names":
            known = other.names <= self.names if self.kind == "names" else not other.names & self.names
            return other if known else None
        if self.kind == "names":
            return replace(self, names=self.names - other.names)
        return replace(self, names=self.names | other.names)

    def holds(self, target: Selection) -> bool:
        """Whether it surely has all columns of `target`, and more than these."""
        if target.kind == "names":
            if self.kind == "names":
                return target.names < self.names
            return self.kind == "all" or (self.kind == "without" and not target.names & self.names)
        if target.kind != "places" or target.bounds is not None or len(target.places) != 1:
            return False
        place = next(iter(target.places))
        if self.kind == "places":
            return (
                len(self.places) > 1 and place in self.places if self.bounds is None else self._spans(place)
            )
        return self.kind == "all"

    def _spans(self, place: int) -> bool:
        low, high = self.bounds or (None, None)
        if place >= 0:
            return (low is None or 0 <= low <= place) and (high is None or high > place)
        if high is None:
            return place == -1 or low is None or (low <= place < 0 and low < 0)
        return high < 0 and place < high and (low is None or (low < 0 and low <= place))


@dataclass(frozen=True, eq=False)
class Columns:
    """What an expression holds of a table.

    Args:
        table: equal for the same table.
        root: the expression that gave the table.
        chosen: which columns.
        rows: which rows, as the code says it.
        array: whether it was made an array or a tensor.
        node: the last expression that chose columns, or made an array of all.
        frame: where that stands.
        names: the variables on the way, each with its scope and file.
    """

    table: tuple[object, ...]
    root: ast.expr
    frame: Frame
    node: ast.expr
    chosen: Selection = Selection()
    rows: tuple[str, ...] = ()
    array: bool = False
    names: tuple[tuple[File, Scope, str], ...] = ()


def columns_of(frame: Frame, node: ast.expr, callers: Callers = ()) -> Columns | None:
    """What an expression holds of the table it was cut from; None when one step cannot be seen."""
    return _trace(_Place(frame, node, callers), 0)


@dataclass(frozen=True, eq=False)
class _Place:
    frame: Frame
    node: ast.expr
    callers: Callers = ()
    path: Path = ()

    def at(self, node: ast.expr, path: Path = ()) -> _Place:
        return _Place(self.frame, node, self.callers, path)


def _trace(place: _Place, depth: int) -> Columns | None:
    node = place.node
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.Name):
        return _name(place, node, depth + 1)
    if isinstance(node, ast.Tuple | ast.List) and place.path:
        position = place.path[0]
        if position is None or position >= len(node.elts):
            return None
        return _trace(place.at(node.elts[position], place.path[1:]), depth + 1)
    if isinstance(node, ast.Attribute) and not place.path:
        return _attribute(place, node, depth + 1)
    if isinstance(node, ast.Subscript) and not place.path:
        return _subscript(place, node, depth + 1)
    if isinstance(node, ast.Call):
        return _call(place, node, depth + 1)
    if isinstance(node, ast.BinOp) and not any(isinstance(n, ast.Subscript) for n in ast.walk(node.right)):
        return _trace(place.at(node.left), depth + 1)
    if isinstance(node, ast.Compare) and isinstance(node.comparators[0], ast.Constant):
        return _trace(place.at(node.left), depth + 1)
    return None


def _root(place: _Place, *key: object) -> Columns:
    return Columns((*key, place.path), place.node, place.frame, place.node)


def _name(place: _Place, node: ast.Name, depth: int) -> Columns | None:
    bindings = reaching(place.frame, node)
    if not bindings:
        return None
    scope = bindings[0].scope
    found = _bound(place, bindings[0], depth) if len(bindings) == 1 else _root(place, *bindings)
    if found is None:
        return None
    return replace(found, names=(*found.names, (place.frame.file, scope, node.id)))


def _bound(place: _Place, binding: Binding, depth: int) -> Columns | None:
    frame, callers = place.frame, place.callers
    if binding.scope is not frame.scope:
        frame, callers = frame.file.root(binding.scope), ()
    if binding.kind == "assign" and binding.value is not None:
        inner = _Place(frame, binding.value, callers, (*binding.path, *place.path))
        return _trace(inner, depth)
    if binding.kind != "parameter":
        return _root(place, binding)
    site = _site(frame, callers)
    argument = argument_of(frame, site[1], binding.name) if site is not None else None
    if site is None or argument is None:
        return _root(place, binding)
    return _trace(_Place(site[0], argument, callers[:-1], place.path), depth)


def _site(frame: Frame, callers: Callers) -> tuple[Frame, ast.Call] | None:
    """The call that led into a function: the one that was followed, or the only one that there is."""
    if callers:
        caller, call = callers[-1]
        inner = caller.callee(call)
        if inner is not None and _alike(inner.scope, frame.scope):
            return caller, call
    sites = frame.file.callers(frame.scope)
    return sites[0][:2] if len(sites) == 1 else None


def _alike(scope: Scope, other: Scope) -> bool:
    """Whether two scopes are one function; a file that imports another may have its own copy of it."""
    lines = [getattr(each.node, "lineno", 0) for each in (scope, other)]
    return scope is other or (scope.name == other.name and lines[0] == lines[1])


def _attribute(place: _Place, node: ast.Attribute, depth: int) -> Columns | None:
    base = place.frame.value(node.value)
    if base is not None and base.cls is not None:
        stores = [
            (cls, store)
            for cls in base.cls.lineage()
            for store in cls.file.index.stores[cls.scope][node.attr]
        ]
        if len(stores) != 1 or stores[0][1].value is None:
            return None
        cls, store = stores[0]
        callers = place.callers if store.scope.name == "__init__" else ()
        frame = cls.file.root(store.scope)
        found = _trace(_Place(frame, store.value, callers, store.path), depth) if store.value else None
        return replace(found, names=(*found.names, (cls.file, cls.scope, node.attr))) if found else None
    if node.attr == "frame" and isinstance(node.value, ast.Name | ast.Call):
        return _root(place, ast.dump(node))
    inner = _trace(place.at(node.value), depth)
    if inner is None or node.attr in _NO_COLUMNS:
        return None
    if node.attr == "values":
        return _arrayed(inner, place)
    known = isinstance(inner.root, ast.Call) and _last(inner.root) in READERS
    return _chosen(inner, place, Selection("names", frozenset({node.attr}))) if known else None


def _arrayed(inner: Columns, place: _Place) -> Columns:
    if inner.chosen.kind == "all" and not inner.array:
        return replace(inner, array=True, node=place.node, frame=place.frame)
    return replace(inner, array=True)


def _chosen(inner: Columns, place: _Place, selection: Selection | None) -> Columns | None:
    chosen = inner.chosen.then(selection) if selection is not None else None
    if chosen is None:
        return None
    if chosen == inner.chosen:
        return inner
    return replace(inner, chosen=chosen, node=place.node, frame=place.frame)


# Subscripts


def _subscript(place: _Place, node: ast.Subscript, depth: int) -> Columns | None:
    base, index = node.value, node.slice
    by_place = isinstance(base, ast.Attribute) and base.attr in ("iloc", "loc")
    inner = _trace(place.at(base.value if by_place and isinstance(base, ast.Attribute) else base), depth)
    if inner is None:
        return None
    if isinstance(index, ast.Tuple) and len(index.elts) == 2:
        inner = _rows(inner, index.elts[0])
        return _chosen(inner, place, _selection(place.frame, index.elts[1]))
    if not by_place:
        selection = _selection(place.frame, index)
        if selection is not None and selection.kind == "names":
            return _chosen(inner, place, selection)
        if isinstance(index, ast.Constant) and not isinstance(index.value, int):
            return None
        if isinstance(index, ast.Name) and any(w in index.id.lower() for w in ("col", "feat", "name")):
            return None
    return _rows(inner, index)


def _rows(inner: Columns, index: ast.expr) -> Columns:
    if isinstance(index, ast.Slice) and not (index.lower or index.upper or index.step):
        return inner
    return replace(inner, rows=(*inner.rows, ast.unparse(index)))


def _selection(frame: Frame, node: ast.expr) -> Selection | None:
    """The columns that an index chooses, when they are written out."""
    if isinstance(node, ast.Slice):
        if node.step is not None:
            return None
        ends = [_number(each) for each in (node.lower, node.upper)]
        if any(
            end is None and each is not None for end, each in zip(ends, (node.lower, node.upper), strict=True)
        ):
            return None
        if ends in ([None, None], [0, None]):
            return Selection()
        low, high = ends
        if low is not None and high is not None and high == low + 1:
            return Selection("places", places=frozenset({low}))
        return Selection("places", bounds=(low, high))
    number = _number(node)
    if number is not None:
        return Selection("places", places=frozenset({number}))
    if isinstance(node, ast.List) and node.elts:
        numbers = [_number(each) for each in node.elts]
        if None not in numbers:
            return Selection("places", places=frozenset(n for n in numbers if n is not None))
    names = written_names(frame, node)
    return Selection("names", names) if names else None


def _number(node: ast.expr | None) -> int | None:
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    ):
        return -node.operand.value if isinstance(node.operand.value, int) else None
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def written_names(frame: Frame, node: ast.expr) -> frozenset[str] | None:
    """The names that an expression lists: strings, lists of strings, their sums, names of these."""
    if isinstance(node, ast.Constant):
        return frozenset({node.value}) if isinstance(node.value, str) else None
    if isinstance(node, ast.List | ast.Tuple):
        parts = [written_names(frame, each) for each in node.elts]
        if any(part is None or len(part) != 1 for part in parts):
            return None
        return frozenset(name for part in parts for name in part or ())
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = written_names(frame, node.left), written_names(frame, node.right)
        return left | right if left is not None and right is not None else None
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path or not bindings[0].value:
            return None
        return None if node.id in _changed_lists(frame.file) else written_names(frame, bindings[0].value)
    return None


def _changed_lists(file: File) -> set[str]:
    """The names of lists that are changed after they are made."""
    if "changed lists" not in file.cache:
        changing = ("remove", "append", "extend", "pop", "insert", "clear")
        calls = [call for name in changing for call in file.index.calls_by_name.get(name, ())]
        bases = [call.func.value for call in calls if isinstance(call.func, ast.Attribute)]
        file.cache["changed lists"] = {base.id for base in bases if isinstance(base, ast.Name)}
    found: set[str] = file.cache["changed lists"]
    return found


# Calls


def _last(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _call(place: _Place, node: ast.Call, depth: int) -> Columns | None:
    frame, last = place.frame, _last(node)
    name = frame.name(node.func) or ""
    if name:
        return _library(place, node, name, depth)
    value = frame.value(node.func)
    if value is not None and value.kind == "function":
        inner = frame.callee(node)
        returns = [r.value for r in inner.scope.returns] if inner is not None else []
        if inner is None or len(returns) != 1 or returns[0] is None or inner.scope.is_generator:
            return _root(place, node)
        return _trace(_Place(inner, returns[0], (*place.callers, (frame, node)), place.path), depth)
    if not isinstance(node.func, ast.Attribute) or place.path:
        return _root(place, node) if place.path else None
    if last in ("fit_transform", "transform") and len(node.args) == 1:
        scaled = _trace(place.at(node.args[0]), depth) if _is_scaler(frame, node.func.value) else None
        return _arrayed(scaled, place) if scaled else None
    if last in _SAME_METHODS:
        same = _trace(place.at(node.func.value), depth)
        return _arrayed(same, place) if same is not None and last in _ARRAYS else same
    if last == "drop":
        dropped = _dropped(frame, node)
        inside = _trace(place.at(node.func.value), depth)
        if inside is None or dropped is None:
            return None
        return _chosen(inside, place, Selection("without", dropped))
    if last == "select" and len(node.args) == 1 and not node.keywords:
        names = written_names(frame, node.args[0])
        inside = _trace(place.at(node.func.value), depth)
        return _chosen(inside, place, Selection("names", names)) if inside is not None and names else None
    return _root(place, node) if last in ("dropna", "sample", "reset_index", "sort_values") else None


def _library(place: _Place, node: ast.Call, name: str, depth: int) -> Columns | None:
    last = name.rsplit(".", 1)[-1]
    if name == "sklearn.model_selection.train_test_split":
        position = place.path[0] if place.path else None
        if position is None or position // 2 >= len(node.args):
            return None
        if any(k.arg == "shuffle" for k in node.keywords):
            return None  # rows in order may become windows, with targets that come later
        whole = _trace(place.at(node.args[position // 2], place.path[1:]), depth)
        return replace(whole, rows=(*whole.rows, f"{id(node)} {position % 2}")) if whole else None
    if name.startswith(("torch.", "numpy.")) and last in _FUNCTIONS and node.args and not place.path:
        inner = _trace(place.at(node.args[0]), depth)
        return _arrayed(inner, place) if inner is not None else None
    if name.startswith("pandas.") and last in ("get_dummies", "to_numeric") and node.args:
        selected = any(k.arg == "columns" for k in node.keywords)
        return _trace(place.at(node.args[0]), depth) if not selected else None
    if name == "pandas.factorize" and node.args and place.path[:1] == (0,):
        return _trace(place.at(node.args[0]), depth)
    return _root(place, node)


def _dropped(frame: Frame, node: ast.Call) -> frozenset[str] | None:
    """The columns that `table.drop(...)` leaves out."""
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    if "columns" in keywords:
        return written_names(frame, keywords["columns"])
    axis = keywords.get("axis", node.args[1] if len(node.args) > 1 else None)
    labels = keywords.get("labels", node.args[0] if node.args else None)
    across = isinstance(axis, ast.Constant) and axis.value in (1, "columns")
    return written_names(frame, labels) if across and labels is not None else None


def _is_scaler(frame: Frame, node: ast.expr) -> bool:
    """Whether an expression is an object of scikit-learn that keeps every column."""
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        values = [binding.value for binding in bindings]
        if len(bindings) != 1 or values[0] is None:
            return False
        frame = frame if bindings[0].scope is frame.scope else frame.file.root(bindings[0].scope)
        node = values[0]
    fitted = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fit"
    if fitted and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    name = frame.name(node.func) if isinstance(node, ast.Call) else None
    return (name or "").rsplit(".", 1)[-1] in _SCALERS


def changes(file: File, scope: Scope, name: str) -> Iterator[tuple[ast.AST, ast.expr | None]]:
    """The places that change a variable of `scope`, or an attribute of a class, and what they write."""
    if "table changes" not in file.cache:
        found: dict[tuple[Scope | None, str], list[tuple[ast.AST, ast.expr | None]]] = {}
        for base, node, column in _all_changes(file):
            while isinstance(base, ast.Attribute) and base.attr in ("loc", "iloc", "at", "iat"):
                base = base.value
            key = (
                base.id
                if isinstance(base, ast.Name)
                else base.attr
                if isinstance(base, ast.Attribute)
                else ""
            )
            found.setdefault((_owner(file, base, key), key), []).append((node, column))
        file.cache["table changes"] = found
    yield from file.cache["table changes"].get((scope, name), ())


def _owner(file: File, base: ast.expr, name: str) -> Scope | None:
    """The scope that binds a name, or the class of an attribute of `self`."""
    scope: Scope | None = file.index.scope_of(base)
    while scope is not None:
        if isinstance(base, ast.Attribute):
            if scope.method_of is not None:
                return scope.method_of
        elif name in scope.bindings:
            return scope
        scope = scope.parent
    return None


def _all_changes(file: File) -> Iterator[tuple[ast.expr, ast.AST, ast.expr | None]]:
    for node in file.index.nodes[ast.Subscript]:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Del | ast.Store):
            yield node.value, node, node.slice if isinstance(node.ctx, ast.Store) else None
    for node in file.index.nodes[ast.Attribute]:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr == "columns":
            yield node.value, node, None
    for call in file.index.calls():
        if not isinstance(call.func, ast.Attribute):
            inplace = False
        else:
            inplace = any(k.arg == "inplace" for k in call.keywords) and call.func.attr in ("drop", "rename")
            if inplace or call.func.attr in ("pop", "drop_in_place", "insert"):
                yield call.func.value, call, None
        alone = isinstance(file.index.parents.get(call), ast.Expr)
        shown = isinstance(call.func, ast.Name) and call.func.id in ("print", "display", "len", "super")
        if alone and not shown and not inplace:
            for argument in call.args:
                if isinstance(argument, ast.Name | ast.Attribute):
                    yield argument, call, None
