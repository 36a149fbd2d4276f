"""`__getitem__` changes the stored data, so a sample is another one each time that it is asked for.

## What it does
Reports an in-place operation (`+=`, `*=`, `mul_` and the like) in the `__getitem__` of a data set on a row of
an array or tensor that `__init__` stores: `x = self.data[index]` is a view of it. A watched run looks at some
stored rows before and after they are asked for, and reports a data set whose rows change each time and come
out changed.

## Why is this bad?
A row of an array or tensor shares its memory. Each epoch divides, shifts or augments what the last one left,
and after some epochs the samples have little in common with the data.

## References
- [Views](https://docs.pytorch.org/docs/stable/tensor_view.html)
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.epochs import base_of
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.scopes import Scope
from torchstone.review.syntax.values import Class

if TYPE_CHECKING:
    from torchstone.review.epochs import Samples
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS412"
NAME = "dataset-changes-samples"
SEVERITY: Severity = "error"
MENTIONS = ("__getitem__",)

BAD = (
    Example(
        """
        import torch
        from torch.utils.data import Dataset


        class Noisy(Dataset):
            def __init__(self):
                self.rows = torch.randn(100, 8)

            def __len__(self):
                return len(self.rows)

            def __getitem__(self, index):
                row = self.rows[index]
                row += 0.1 * torch.randn(8)  # TS412
                return row
        """
    ),
)
GOOD = (
    """
    import torch
    from torch.utils.data import Dataset


    class Noisy(Dataset):
        def __init__(self):
            self.rows = torch.randn(100, 8)

        def __len__(self):
            return len(self.rows)

        def __getitem__(self, index):
            row = self.rows[index]
            row = row + 0.1 * torch.randn(8)
            return row
    """,
)

_IN_PLACE = words(
    "add_ sub_ mul_ div_ pow_ clamp_ neg_ abs_ exp_ log_ sqrt_ copy_ fill_ zero_ sigmoid_ tanh_ floor_ "
    "round_ normal_ uniform_ bernoulli_ masked_fill_ clip_"
)
_ARRAYS = words(
    "array zeros ones empty full rand randn randint arange linspace tensor as_tensor from_numpy stack cat "
    "concat concatenate vstack hstack FloatTensor loadtxt genfromtxt normal uniform standard_normal eye"
)
_ROW = re.compile(r"image|img|pixel|signal|row|wave|frame|picture", re.IGNORECASE)
"""Names of what is surely an array itself: a number out of an array of one dimension is a copy."""
_SAME = words(
    "astype float double long int half to reshape view unsqueeze squeeze transpose permute clone numpy"
)


def check(file: File) -> Iterator[Finding]:
    """Looks at the `__getitem__` of each data set."""
    if "__getitem__" not in file.source.text:
        return
    for cls in file.classes:
        found = cls.scope.bindings.get("__getitem__", ())
        if not found or found[0].kind != "function":
            continue
        if any(base.endswith("Dataset") for base in cls.library_bases()):
            yield from _changes(file, cls, file.index.scopes[found[0].node])


def _is_view(frame: Frame, cls: Class, name: str, stored: ast.Subscript) -> bool:
    """Whether a row is an array: of a tensor it always is, of a NumPy array when its name says so."""
    assert isinstance(stored.value, ast.Attribute)  # noqa: S101 (`self.data`)
    stores = cls.file.index.stores[cls.scope].get(stored.value.attr, [])
    values = [cls.file.root(store.scope).value(store.value) for store in stores if store.value is not None]
    if values and all(value is not None and value.kind == "tensor" for value in values):
        return True
    return bool(_ROW.search(name))


def _changes(file: File, cls: Class, scope: Scope) -> Iterator[Finding]:
    frame = file.root(scope)
    for node in ast.walk(scope.node):
        changed: ast.expr | None = None
        if isinstance(node, ast.AugAssign):
            changed = node.target
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            changed = node.func.value if node.func.attr in _IN_PLACE else None
        if changed is None or file.index.scope_of(node) is not scope:
            continue
        stored = _stored(frame, cls, changed)
        if stored is not None and isinstance(node, ast.AugAssign) and isinstance(changed, ast.Name):
            stored = stored if _is_view(frame, cls, changed.id, stored) else None
        if stored is not None and isinstance(node, ast.AugAssign | ast.Call):
            yield _finding(file, node, stored)


def _stored(frame: Frame, cls: Class, node: ast.expr) -> ast.Subscript | None:
    """The row of `self.data` that an expression is a view of."""
    for _ in range(4):
        if isinstance(node, ast.Name):
            bindings = reaching(frame, node)
            if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].value is None:
                return None
            value, path = bindings[0].value, bindings[0].path
            if path:
                if not isinstance(value, ast.Tuple) or len(path) != 1 or path[0] is None:
                    return None
                value = value.elts[path[0]] if path[0] < len(value.elts) else value
            node = value
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            node = node.value  # a part of a view
        elif isinstance(node, ast.Subscript):
            index = (
                node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
            )
            return node if _is_position(frame, index) and _is_array(cls, node.value) else None
        else:
            return None
    return None


def _is_position(frame: Frame, index: ast.expr) -> bool:
    """Whether an index is the one that `__getitem__` is given (a row), not a list or a mask (a copy)."""
    if not isinstance(index, ast.Name):
        return False
    parameters = frame.scope.parameters
    bindings = reaching(frame, index)
    given = len(parameters) > 1 and index.id == parameters[1]
    return given and all(binding.kind == "parameter" for binding in bindings)


def _is_array(cls: Class, node: ast.expr) -> bool:
    """Whether `self.x` is a tensor or an array of more than one dimension, as far as `__init__` says."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return False
    stores = cls.file.index.stores[cls.scope].get(node.attr, [])
    if not stores or any(store.value is None or store.path for store in stores):
        return False
    return all(store.value is not None and _makes_array(cls, store.scope, store.value) for store in stores)


def _makes_array(cls: Class, scope: Scope, node: ast.expr) -> bool:
    frame = cls.file.root(scope)
    for _ in range(8):
        if isinstance(node, ast.Name):
            bindings = reaching(frame, node)
            if (
                len(bindings) != 1
                or bindings[0].kind != "assign"
                or bindings[0].path
                or not bindings[0].value
            ):
                return False
            node = bindings[0].value
        elif isinstance(node, ast.BinOp):
            node = node.left if isinstance(node.left, ast.Call | ast.Name | ast.BinOp) else node.right
        elif isinstance(node, ast.Call):
            name = frame.name(node.func) or ""
            library = name.startswith(("torch.", "numpy."))
            if library and name.rsplit(".", 1)[-1] in _ARRAYS:
                return True
            if not isinstance(node.func, ast.Attribute) or node.func.attr not in _SAME:
                return False
            node = node.func.value
        else:
            return False
    return False


def _finding(file: File, node: ast.AugAssign | ast.Call, stored: ast.Subscript) -> Finding:
    text = ast.unparse(stored)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{ast.unparse(node)}` changes `{text}` itself, which is a view of what the data set stores",
        why="each epoch starts from what the last one left, and the samples drift away from the data",
        fix=Fix(f"Work on `{text}.copy()` (`.clone()` for a tensor), or write the result to a new variable."),
        related=(file.related(stored, "the row is taken here"),) if stored.lineno != node.lineno else (),
    )


_ROWS = 32
"""About so many samples of a data set are looked at, the same ones in each pass."""

_NUMBERS = 1024
"""Of a longer row about so many numbers are."""


class Watch(Detector):
    """Looks whether the rows that a data set stores change whenever they are asked for."""

    PAUSES = frozenset({"batch", "fetching"})

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._before: list[tuple[int, Any, int, str, list[float]]] = []
        """Of the batch that is put together: position in it, data set, index, attribute, row."""
        self._changed: ByIdentity[dict[tuple[int, str], int]] = ByIdentity()
        """By data set, how often a stored row was changed and given away so."""

    def on_fetching(self, event: Event) -> None:
        """The rows that are stored now."""
        self._before = []
        if not isinstance(event.indices, list) or event.subject is None:
            return
        if set(map(type, event.indices)) != {int}:
            return
        every = max(1, len(event.subject.dataset) // _ROWS)
        for position in [at for at, index in enumerate(event.indices) if not index % every]:
            index = event.indices[position]
            base, at = base_of(event.subject.dataset, index)
            for name, row in _stored_rows(base, at):
                self._before.append((position, weakref.ref(base), at, name, row))

    def on_batch(self, event: Event) -> None:
        """The rows that are stored now, and what was given."""
        before, self._before = self._before, []
        for position, held, at, name, row in before:
            base = held()
            now = None if base is None else dict(_stored_rows(base, at)).get(name)
            if now is None or now == row or not _gave(event.samples, position, now):
                continue
            changes = self._changed.setdefault(base, {})
            changes[at, name] = changes.get((at, name), 0) + 1
            if changes[at, name] == 2:  # once alone it may be a cache that is filled
                self._report(base, at, name, row, now)

    def _report(self, dataset: Any, index: int, name: str, row: list[float], now: list[float]) -> None:
        kind = type(dataset).__name__
        self.found(
            f"`{kind}.{name}[{index}]` is another row each time that it is asked for: its mean went from "
            f"{_mean(row):.4g} to {_mean(now):.4g} by taking sample {index}",
            why="each epoch changes what the last one left",
            place=_place_of_change(type(dataset)),
            fix="Change a copy of the row.",
            cause=kind,
            index=index,
            attribute=name,
            mean_before=_mean(row),
            mean_after=_mean(now),
        )


def _mean(row: list[float]) -> float:
    return sum(row) / len(row)


def _stored_rows(dataset: Any, index: int) -> Iterator[tuple[str, list[float]]]:
    """The rows of a sample in the arrays, tensors and lists of them that a data set holds."""
    try:
        length = len(dataset)
    except TypeError:
        return
    for name, held in list(getattr(dataset, "__dict__", {}).items())[:16]:
        array = isinstance(held, list) or (hasattr(held, "shape") and hasattr(held, "tolist"))
        if array and len(getattr(held, "shape", (0,))) and len(held) == length:
            row = _numbers(held[index])
            if row is not None:
                yield name, row


def _numbers(row: Any) -> list[float] | None:
    """Numbers of a row of several, of an array or a tensor on the host."""
    count = row.numel() if hasattr(row, "numel") else getattr(row, "size", None)
    if not isinstance(count, int) or count < 2 or not hasattr(row, "tolist"):
        return None
    if getattr(getattr(row, "device", None), "type", "cpu") != "cpu" or getattr(row, "is_sparse", False):
        return None
    found: list[float] = row.reshape(-1)[:: max(1, count // _NUMBERS)].tolist()
    return found if all(isinstance(one, int | float) for one in found) else None


def _gave(samples: Samples, position: int, row: list[float]) -> bool:
    """Whether a part of a sample of a batch is this row."""
    given = [tensor[position] for _, tensor in samples.parts if tensor.dim() > 1 and position < len(tensor)]
    return any(_are_same(_numbers(one), row) for one in given)


def _are_same(given: list[float] | None, row: list[float]) -> bool:
    if given is None or len(given) != len(row):
        return False
    pairs = zip(given, row, strict=True)
    return all(abs(one - another) <= 1e-5 * max(1.0, abs(another)) for one, another in pairs)


def _place_of_change(kind: Any) -> Place | None:
    """The line of `__getitem__` that changes something in place, else where it begins."""
    from torchstone.review.places import Place

    method = getattr(kind, "__getitem__", None)
    code = getattr(method, "__code__", None)
    if code is None:
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    except (OSError, SyntaxError, TypeError):
        return Place(code.co_filename, code.co_firstlineno)
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.AugAssign)
        or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _IN_PLACE
        )
    ]
    return Place(code.co_filename, code.co_firstlineno + (min(lines) - 1 if lines else 0))
