"""Pictures whose channels come last: arrays of OpenCV, Pillow, matplotlib and numpy."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import reaching

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame

_DEEPEST = 30
_READERS = frozenset(
    {
        "matplotlib.pyplot.imread",
        "matplotlib.image.imread",
        "skimage.io.imread",
        "imageio.imread",
        "imageio.v2.imread",
        "imageio.v3.imread",
    }
)
_SAME_METHODS = words(
    "astype float double half copy clone to cuda cpu type contiguous numpy div div_ mul sub add clamp clip "
    "requires_grad_"
)
_SAME_FUNCTIONS = words(
    "array asarray ascontiguousarray float32 tensor as_tensor from_numpy FloatTensor Tensor flip "
    "fliplr flipud"
)
_SAME_OF_OPENCV = words(
    "resize GaussianBlur medianBlur blur flip warpAffine copyMakeBorder bilateralFilter rotate normalize"
)
_SIZED = words("zeros ones empty full rand randn random integers uniform normal random_sample randint")
_PILLOW = words("convert resize crop rotate transpose copy")


@dataclass(frozen=True, eq=False)
class ChannelsLast:
    """An array whose last dimension is that of the channels.

    Args:
        node: what made it.
        frame: where.
        rank: the number of its dimensions, None when that is not known.
        channels: how many channels it may have.
    """

    node: ast.expr
    frame: Frame
    rank: int | None
    channels: frozenset[int] = frozenset({3, 4})


def channels_last(frame: Frame, node: ast.expr, depth: int = 0) -> ChannelsLast | None:
    """The picture, or pictures, that an expression surely gives with the channels last."""
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.Name):
        return _name(frame, node, depth + 1)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Sub | ast.Mult):
        return channels_last(frame, node.left, depth + 1)
    if isinstance(node, ast.Attribute):
        return _attribute(frame, node, depth + 1)
    if isinstance(node, ast.List | ast.Tuple) and node.elts:
        return _more(channels_last(frame, node.elts[0], depth + 1), 3)
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return _more(channels_last(frame, node.elt, depth + 1), 3)
    if isinstance(node, ast.Call):
        return _call(frame, node, depth + 1)
    return None


def _more(inner: ChannelsLast | None, rank: int) -> ChannelsLast | None:
    """A list of pictures."""
    return replace(inner, rank=rank + 1) if inner is not None and inner.rank == rank else None


def _name(frame: Frame, node: ast.Name, depth: int) -> ChannelsLast | None:
    bindings = reaching(frame, node)
    if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path or bindings[0].value is None:
        return None
    value = bindings[0].value
    owner = frame if bindings[0].scope is frame.scope else frame.file.root(bindings[0].scope)
    if isinstance(value, ast.List) and not value.elts:
        return _appended(owner, node.id, depth)
    return channels_last(owner, value, depth)


def _appended(frame: Frame, name: str, depth: int) -> ChannelsLast | None:
    """What `name.append(picture)` puts into a list that began empty."""
    added = [
        call.args[0]
        for call in frame.file.index.calls_by_name.get("append", ())
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == name
        and len(call.args) == 1
        and frame.file.index.scope_of(call) is frame.scope
    ]
    found = [channels_last(frame, each, depth) for each in added]
    return _more(found[0], 3) if found and all(each is not None for each in found) else None


def _attribute(frame: Frame, node: ast.Attribute, depth: int) -> ChannelsLast | None:
    """`.data` of a data set of torchvision; an attribute that `self` is given once."""
    base = frame.value(node.value)
    if base is None:
        return None
    if base.cls is not None:
        stores = [(c, s) for c in base.cls.lineage() for s in c.file.index.stores[c.scope].get(node.attr, ())]
        if len(stores) != 1 or stores[0][1].value is None or stores[0][1].path:
            return None
        cls, store = stores[0]
        return channels_last(cls.file.root(store.scope), store.value, depth) if store.value else None
    pictures = base.name in ("torchvision.datasets.CIFAR10", "torchvision.datasets.CIFAR100")
    return ChannelsLast(node, frame, 4, frozenset({3})) if pictures and node.attr == "data" else None


def _call(frame: Frame, node: ast.Call, depth: int) -> ChannelsLast | None:
    name = frame.name(node.func)
    if name is not None:
        return _library(frame, node, name, depth)
    value = frame.value(node.func)
    if value is not None and value.kind == "function":
        inner = frame.callee(node)
        returns = [r.value for r in inner.scope.returns] if inner is not None else []
        if inner is None or len(returns) != 1 or returns[0] is None:
            return None
        return channels_last(inner, returns[0], depth)
    if not isinstance(node.func, ast.Attribute):
        return None
    method = node.func.attr
    if method in _SAME_METHODS:
        return channels_last(frame, node.func.value, depth)
    if method == "unsqueeze" and len(node.args) == 1 and _is(node.args[0], 0):
        return _more(channels_last(frame, node.func.value, depth), 3)
    if method in _SIZED and _is_generator(frame, node.func.value):
        return _sized(frame, node)
    return None


def _library(frame: Frame, node: ast.Call, name: str, depth: int) -> ChannelsLast | None:
    root, last = name.split(".")[0], name.rsplit(".", 1)[-1]
    if name in _READERS:
        return ChannelsLast(node, frame, 3)
    if name == "PIL.Image.open":
        return None  # no array yet
    if root == "cv2":
        return _opencv(frame, node, last, depth)
    if root not in ("numpy", "torch"):
        return None
    if last in _SIZED:
        return _sized(frame, node)
    if last in ("stack", "dstack") and node.args:
        return _stacked(frame, node, last, depth)
    if last not in _SAME_FUNCTIONS or not node.args:
        return None
    pillow = _pillow(frame, node.args[0], 0)
    if pillow:
        return ChannelsLast(node, frame, 3, pillow)
    return channels_last(frame, node.args[0], depth)


def _opencv(frame: Frame, node: ast.Call, last: str, depth: int) -> ChannelsLast | None:
    if last == "imread":
        flags = [*node.args[1:], *(k.value for k in node.keywords)]
        colour = all(_is(each, 1) or ast.unparse(each).endswith("IMREAD_COLOR") for each in flags)
        return ChannelsLast(node, frame, 3, frozenset({3})) if colour else None
    if last == "cvtColor" and len(node.args) > 1:
        code = ast.unparse(node.args[1])
        return None if "GRAY" in code or not node.args else channels_last(frame, node.args[0], depth)
    return channels_last(frame, node.args[0], depth) if last in _SAME_OF_OPENCV and node.args else None


def _pillow(frame: Frame, node: ast.expr, depth: int) -> frozenset[int]:
    """The numbers of channels that a picture of Pillow may have; none when it is none, or has no channels."""
    if depth > _DEEPEST:
        return frozenset()
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        if len(bindings) != 1 or bindings[0].kind not in ("assign", "with") or bindings[0].value is None:
            return frozenset()
        same = bindings[0].scope is frame.scope and not bindings[0].path
        return _pillow(frame, bindings[0].value, depth + 1) if same else frozenset()
    if not isinstance(node, ast.Call):
        return frozenset()
    if frame.name(node.func) == "PIL.Image.open":
        return frozenset({3, 4})
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in _PILLOW:
        return frozenset()
    inner = _pillow(frame, node.func.value, depth + 1)
    if inner and node.func.attr == "convert":
        mode = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        return frozenset({3}) if mode in ("RGB", "YCbCr", "HSV") else frozenset({4} if mode == "RGBA" else ())
    return inner


def _sized(frame: Frame, node: ast.Call) -> ChannelsLast | None:
    """An array made with sizes that are those of pictures: the last is 3 or 4, the two before are greater."""
    sizes: list[ast.expr] = list(node.args)
    given = [k.value for k in node.keywords if k.arg in ("size", "shape")]
    tuples = [each for each in (*given, *node.args) if isinstance(each, ast.Tuple | ast.List)]
    if tuples:
        sizes = tuples[0].elts
    numbers = [_number(frame, each) for each in sizes]
    if len(numbers) not in (3, 4) or numbers[-1] not in (3, 4):
        return None
    if any(n is None or n < 5 for n in numbers[-3:-1]):
        return None
    return ChannelsLast(node, frame, len(numbers), frozenset({numbers[-1]}))


def _stacked(frame: Frame, node: ast.Call, last: str, depth: int) -> ChannelsLast | None:
    """`stack([red, green, blue], axis=-1)`, or a stack of pictures."""
    axes = [*node.args[1:], *(k.value for k in node.keywords if k.arg in ("axis", "dim"))]
    axis = _number(frame, axes[0]) if axes else 0
    if last == "stack" and axis == 0:
        return channels_last(frame, node.args[0], depth)
    parts = node.args[0].elts if isinstance(node.args[0], ast.List | ast.Tuple) else []
    starred = any(isinstance(part, ast.Starred) for part in parts)
    if len(parts) not in (3, 4) or starred or (last == "stack" and axis not in (-1, 3)):
        return None
    rank = 4 if axis == 3 else 3 if last == "dstack" else None
    return ChannelsLast(node, frame, rank, frozenset({len(parts)}))


def _is_generator(frame: Frame, node: ast.expr) -> bool:
    """Whether an expression is a generator of random numbers of numpy."""
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        if len(bindings) != 1 or bindings[0].value is None:
            return False
        node = bindings[0].value
    name = frame.name(node.func) if isinstance(node, ast.Call) else None
    return name in ("numpy.random.default_rng", "numpy.random.RandomState")


def _is(node: ast.expr, number: int) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value == number


def _number(frame: Frame, node: ast.expr) -> int | None:
    """The whole number that an expression is."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    value = frame.value(node)
    constant = value.constant if value is not None and value.kind == "constant" else None
    return sign * constant if type(constant) is int else None
