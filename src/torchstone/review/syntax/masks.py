"""Masks of attention: which places are True in them, as far as reading can tell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from torchstone.review.syntax.arguments import given, whole
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame

_DEEPEST = 25
_TOKENS = re.compile(r"(^|_)(tokens?|ids?|src|tgt|trg|texts?|sentences?|words?|captions?|sequences?)$")
_MASKS = re.compile(r"mask|valid|ignore|pad")
_PLACES = words(
    "cuda cpu clone detach contiguous unsqueeze expand expand_as repeat requires_grad_ numpy squeeze"
)
_NUMBERS = words("float double half")
_COUNTS = words("int long byte")


@dataclass(frozen=True)
class Mask:
    """What is known of a mask.

    Args:
        kind: True marks places `j <= i + diagonal` (`lower`), `j >= i + diagonal` (`upper`), the tokens of
            the text (`tokens`) or its padding (`padding`).
        diagonal: of `lower` and `upper`.
        dtype: `bool`, `float` (ones and zeros) or None.
        node: where it is made.
    """

    kind: Literal["lower", "upper", "tokens", "padding"]
    node: ast.expr
    frame: Frame
    diagonal: int = 0
    dtype: Literal["bool", "float"] | None = None

    @property
    def allows(self) -> bool:
        """Whether True marks just what a position may look at."""
        return self.kind == "tokens" or (self.kind == "lower" and self.diagonal == 0)

    @property
    def forbids(self) -> bool:
        """Whether True marks just what a position may not look at."""
        return self.kind == "padding" or (self.kind == "upper" and self.diagonal == 1)

    def inverted(self) -> Mask:
        """The mask that is True where this one is not."""
        if self.kind in ("tokens", "padding"):
            return replace(self, kind="padding" if self.kind == "tokens" else "tokens")
        upper = self.kind == "lower"
        return replace(
            self, kind="upper" if upper else "lower", diagonal=self.diagonal + (1 if upper else -1)
        )

    def turned(self) -> Mask | None:
        """The transposed mask."""
        if self.kind in ("tokens", "padding"):
            return None
        return replace(self, kind="upper" if self.kind == "lower" else "lower", diagonal=-self.diagonal)


def mask_of(frame: Frame, node: ast.expr, depth: int = 0) -> Mask | None:
    """What is known of the mask that an expression gives; None when it is not known to be one."""
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.Name | ast.Attribute):
        if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
            inner = mask_of(frame, node.value, depth + 1)
            return inner.turned() if inner is not None else None
        if _is_changed(frame, node):
            return None
        found = [mask_of(f, n, depth + 1) if n is not None else None for f, n in _sources(frame, node)]
        alike = {(m.kind, m.diagonal, m.dtype) if m is not None else None for m in found}
        return found[0] if len(alike) == 1 else None
    if isinstance(node, ast.Subscript):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return mask_of(frame, node.value, depth + 1) if all(map(_keeps, parts)) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        inner = mask_of(frame, node.operand, depth + 1)
        return inner.inverted() if inner is not None and inner.dtype == "bool" else None
    if isinstance(node, ast.BinOp):
        return _combined(frame, node, depth)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _compared(frame, node, node.left, node.ops[0], node.comparators[0], depth)
    if isinstance(node, ast.Call):
        return _called(frame, node, depth)
    return None


def _keeps(part: ast.expr) -> bool:
    """Whether an index keeps the corner of a mask: `:`, `:n`, None."""
    if isinstance(part, ast.Slice):
        return part.lower is None and part.step is None
    return isinstance(part, ast.Constant) and (part.value is None or part.value is Ellipsis)


def _sources(frame: Frame, node: ast.Name | ast.Attribute) -> Iterator[tuple[Frame, ast.expr | None]]:
    """The expressions that a name or an attribute of `self` may stand for."""
    if isinstance(node, ast.Name):
        for binding in reaching(frame, node):
            there = frame if binding.scope is frame.scope else frame.file.root(binding.scope)
            plain = binding.kind == "assign" and not binding.path
            yield there, binding.value if plain else None
        return
    base = frame.value(node.value)
    for cls in base.cls.lineage() if base is not None and base.cls is not None else ():
        for store in cls.file.index.stores[cls.scope].get(node.attr, ()):
            yield cls.file.root(store.scope), store.value if not store.path else None
        for call in cls.file.index.calls_by_name.get("register_buffer", ()):
            name, value = given(call, 0, "name"), given(call, 1, "tensor")
            scope = cls.file.index.scope_of(call)
            if scope.method_of is cls.scope and isinstance(name, ast.Constant) and name.value == node.attr:
                yield cls.file.root(scope), value


def _is_changed(frame: Frame, node: ast.Name | ast.Attribute) -> bool:
    """Whether the content of a name or attribute is changed in place, in its function or anywhere."""
    file = frame.file
    if "changed in place" not in file.cache:
        nodes = [n.value for n in file.index.nodes[ast.Subscript] if isinstance(n.ctx, ast.Store)]  # type: ignore[attr-defined]
        for name, calls in file.index.calls_by_name.items():
            if name.endswith("_") and not name.endswith("__"):
                nodes += [call.func.value for call in calls if isinstance(call.func, ast.Attribute)]
        plain = [each for each in nodes if isinstance(each, ast.Name | ast.Attribute)]
        file.cache["changed in place"] = {
            (file.index.scope_of(each) if isinstance(each, ast.Name) else None, ast.unparse(each))
            for each in plain
        }
    scope = frame.scope if isinstance(node, ast.Name) else None
    return (scope, ast.unparse(node)) in file.cache["changed in place"]


def _combined(frame: Frame, node: ast.BinOp, depth: int) -> Mask | None:
    """`1 - mask`, and masks that are joined by `&` or `|`."""
    right = mask_of(frame, node.right, depth + 1)
    if isinstance(node.op, ast.Sub) and whole(frame, node.left) == 1:
        return right.inverted() if right is not None and right.dtype != "bool" else None
    left = mask_of(frame, node.left, depth + 1)
    if left is None or right is None or left.dtype != "bool" or right.dtype != "bool":
        return None
    if isinstance(node.op, ast.BitAnd) and left.allows and right.allows:
        return replace(left, kind="tokens")
    if isinstance(node.op, ast.BitOr) and left.forbids and right.forbids:
        return replace(left, kind="padding")
    return None


def _compared(
    frame: Frame, node: ast.expr, left: ast.expr, operator: ast.cmpop, right: ast.expr, depth: int
) -> Mask | None:
    inner = mask_of(frame, left, depth + 1)
    equal, unequal = isinstance(operator, ast.Eq), isinstance(operator, ast.NotEq)
    if inner is not None:
        asked = right.value if isinstance(right, ast.Constant) else None
        if asked not in (0, 1) or not (equal or unequal):
            return None
        same = replace(inner, dtype="bool", node=node, frame=frame)
        return same if equal == (asked == 1) else same.inverted()
    if (equal or unequal) and _is_padding(left, right):
        return Mask("padding" if equal else "tokens", node, frame, dtype="bool")
    if isinstance(operator, ast.Lt | ast.GtE) and _counts(frame, left, 0) and "len" in _words_of(right):
        return Mask("tokens" if isinstance(operator, ast.Lt) else "padding", node, frame, dtype="bool")
    return None


def _is_padding(left: ast.expr, right: ast.expr) -> bool:
    """Whether tokens are compared with the one that fills up."""
    if _MASKS.search(_words_of(left)) or isinstance(left, ast.Constant):
        return False
    if isinstance(right, ast.Constant):
        return right.value == 0 and right.value is not False and bool(_TOKENS.search(_words_of(left)))
    return bool(re.search(r"(^|_)pad(_|$|ding|token|idx|id)", _words_of(right)))


def _words_of(node: ast.expr) -> str:
    """The last name in an expression, in small letters."""
    while True:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            break
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.lower()


def _counts(frame: Frame, node: ast.expr, depth: int) -> bool:
    """Whether an expression is `torch.arange(...)`, in some shape."""
    if depth > _DEEPEST:
        return False
    if isinstance(node, ast.Name):
        values = [b.value if b.scope is frame.scope and not b.path else None for b in reaching(frame, node)]
        return bool(values) and all(v is not None and _counts(frame, v, depth + 1) for v in values)
    if isinstance(node, ast.Subscript):
        return _counts(frame, node.value, depth + 1)
    if isinstance(node, ast.Call):
        if frame.name(node.func) == "torch.arange":
            return len(node.args) < 3
        method = isinstance(node.func, ast.Attribute) and node.func.attr in (*_PLACES, "to", "view")
        return method and _counts(frame, node.func.value, depth + 1)  # type: ignore[attr-defined]
    return False


def _called(frame: Frame, node: ast.Call, depth: int) -> Mask | None:
    called = frame.value(node.func)
    if called is not None and called.kind == "library":
        return _library(frame, node, called.name or "", depth)
    if called is not None and called.kind == "function":
        return _returned(frame, node, depth)
    if called is None and isinstance(node.func, ast.Attribute):
        return _method(frame, node, node.func, depth)
    return None


def _returned(frame: Frame, node: ast.Call, depth: int) -> Mask | None:
    """What a function of the project gives."""
    inner = frame.callee(node)
    if inner is None or len(inner.scope.returns) != 1 or inner.scope.is_generator:
        return None
    value = inner.scope.returns[0].value
    return mask_of(inner, value, depth + 1) if value is not None else None


def _library(frame: Frame, node: ast.Call, name: str, depth: int) -> Mask | None:
    root, last = name.partition(".")[0], name.rsplit(".", 1)[-1]
    if root not in ("torch", "numpy") or not node.args:
        return None
    if last in ("tril", "triu"):
        return _triangle(frame, node, last, node.args[0], given(node, 1, "diagonal", "k"))
    inner = mask_of(frame, node.args[0], depth + 1)
    if last in ("eq", "ne") and len(node.args) == 2:
        operator = ast.Eq() if last == "eq" else ast.NotEq()
        return _compared(frame, node, node.args[0], operator, node.args[1], depth)
    if inner is None:
        return None
    if last == "logical_not":
        return replace(inner.inverted(), dtype="bool")
    if last in ("from_numpy", "as_tensor", "tensor", "BoolTensor"):
        dtype = given(node, -1, "dtype")
        if last == "BoolTensor":
            return replace(inner, dtype="bool")
        return _of_dtype(frame, inner, dtype) if dtype is not None else inner
    return inner if last in ("unsqueeze", "squeeze") else None


def _method(frame: Frame, node: ast.Call, function: ast.Attribute, depth: int) -> Mask | None:
    name = function.attr
    if name in ("tril", "triu"):
        return _triangle(frame, node, name, function.value, given(node, 0, "diagonal"))
    if name in ("eq", "ne") and len(node.args) == 1:
        operator = ast.Eq() if name == "eq" else ast.NotEq()
        return _compared(frame, node, function.value, operator, node.args[0], depth)
    inner = mask_of(frame, function.value, depth + 1)
    if inner is None:
        return None
    if name in _PLACES:
        return inner
    if name in ("bool", "logical_not"):
        return replace(inner if name == "bool" else inner.inverted(), dtype="bool")
    if name in _NUMBERS or name in _COUNTS:
        return replace(inner, dtype="float" if name in _NUMBERS else None)
    if name in ("to", "type", "astype"):
        for asked in (*node.args, *(k.value for k in node.keywords if k.arg == "dtype")):
            inner = _of_dtype(frame, inner, asked)
        return inner
    if name == "view":
        return inner if all(whole(frame, part) == 1 for part in node.args[:-2]) else None
    if name == "t" or (name == "transpose" and _swaps(frame, node)):
        return inner.turned()
    return None


def _swaps(frame: Frame, node: ast.Call) -> bool:
    return {whole(frame, part) for part in node.args} in ({0, 1}, {-1, -2})


def _of_dtype(frame: Frame, mask: Mask, node: ast.expr) -> Mask:
    """The mask after a conversion; a device changes nothing."""
    name = frame.name(node) or (node.id if isinstance(node, ast.Name) else "")
    last = name.rsplit(".", 1)[-1]
    if last == "bool" or (isinstance(node, ast.Constant) and node.value == "bool"):
        return replace(mask, dtype="bool")
    if last.startswith(("float", "half", "double", "bfloat")) and name.startswith("torch."):
        return replace(mask, dtype="float")
    if "device" in ast.unparse(node) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        text = node.value if isinstance(node, ast.Constant) else "cuda"
        return mask if str(text).startswith(("cpu", "cuda", "mps")) else replace(mask, dtype=None)
    return replace(mask, dtype=None)


def _triangle(
    frame: Frame, node: ast.Call, name: str, source: ast.expr, asked: ast.expr | None
) -> Mask | None:
    """The triangle of a square of ones."""
    diagonal = whole(frame, asked) if asked is not None else 0
    dtype = _ones(frame, source, 0)
    if diagonal is None or dtype is None:
        return None
    found: Literal["bool", "float"] | None = (
        "bool" if dtype == "bool" else "float" if dtype == "float" else None
    )
    return Mask("lower" if name == "tril" else "upper", node, frame, diagonal, found)


def _ones(frame: Frame, node: ast.expr, depth: int) -> str | None:
    """The dtype of an array of ones (`?`: not known), None when it is something else."""
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.Name):
        found = reaching(frame, node)
        value = (
            found[0].value if len(found) == 1 and found[0].kind == "assign" and not found[0].path else None
        )
        return _ones(frame, value, depth + 1) if value is not None and found[0].scope is frame.scope else None
    if not isinstance(node, ast.Call):
        return None
    called: Value | None = frame.value(node.func)
    name = called.name or "" if called is not None and called.kind == "library" else ""
    filled = given(node, 1, "fill_value")
    full = name in ("torch.full", "numpy.full") and isinstance(filled, ast.Constant)
    if full and isinstance(filled, ast.Constant) and filled.value not in (1, True):
        return None
    if full or name in ("torch.ones", "numpy.ones"):
        dtype = next((k.value for k in node.keywords if k.arg == "dtype"), None)
        if dtype is None:
            truth = full and isinstance(filled, ast.Constant) and filled.value is True
            return "bool" if truth else "float" if name == "torch.ones" else "?"
        asked = (frame.name(dtype) or ast.unparse(dtype)).rsplit(".", 1)[-1]
        return "bool" if asked == "bool" else "float" if asked.startswith("float") else "?"
    if name == "torch.ones_like":
        return "?"
    method = node.func.attr if isinstance(node.func, ast.Attribute) and called is None else ""
    if method in ("bool", "to", "cuda", "float") and isinstance(node.func, ast.Attribute):
        inner = _ones(frame, node.func.value, depth + 1)
        if inner is not None and method == "to":
            names = [(frame.name(part) or "").rsplit(".", 1)[-1] for part in node.args]
            return "bool" if "bool" in names else inner if "device" in ast.unparse(node) else "?"
        return inner and {"cuda": inner}.get(method, method)
    return None
