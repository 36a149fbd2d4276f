"""Pictures with the channels last are reshaped to channels first, which does not move them.

## What it does
Follows arrays of OpenCV, Pillow, matplotlib and numpy whose last dimension is that of the channels, and
reports a `view` or `reshape` to a shape with the channels before height and width. While the program runs,
the pictures that come to the first `Conv2d` of three channels are read both ways: where neighbours are less
than half as different when the channels are read last, across and down and in two batches, the channels were
never moved.

## Why is this bad?
`view` and `reshape` keep the order of the values in memory and only cut it anew. What should be the red
channel holds pieces of rows in all three colours: the pictures are scrambled, the shapes are right, and the
model learns badly. `permute(0, 3, 1, 2)` moves the channels.

## References
- [torch.permute](https://docs.pytorch.org/docs/stable/generated/torch.permute.html)
- [Tensor.view](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.view.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor
from torchstone.review.syntax.arguments import whole
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.pictures import ChannelsLast, channels_last

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS413"
NAME = "channel-order"
SEVERITY: Severity = "error"
MENTIONS = ("view|reshape",)

BAD = (
    Example(
        """
        import cv2
        import torch

        image = cv2.resize(cv2.imread("cat.png"), (64, 64))
        x = torch.from_numpy(image).float() / 255
        x = x.view(1, 3, 64, 64)  # TS413
        """
    ),
    Example(
        """
        import numpy as np
        import torch
        from PIL import Image

        def load(path):
            picture = np.array(Image.open(path).convert("RGB").resize((32, 32)))
            return torch.tensor(picture.reshape(3, 32, 32))  # TS413
        """
    ),
)
GOOD = (
    """
    import numpy as np
    import torch

    images = np.zeros((8, 32, 32, 3))
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    flat = x.reshape(8, -1)
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each change of shape to channels first."""
    for name in ("view", "reshape"):
        for call in file.index.calls_by_name.get(name, ()):
            frame = file.frame_of(call)
            parts = _parts(frame, call)
            if parts is None:
                continue
            array, sizes = parts
            if len(sizes) not in (3, 4) or any(isinstance(size, ast.Starred) for size in sizes):
                continue
            picture = channels_last(frame, array)
            if picture is not None and _moves(frame, picture, array, sizes):
                yield _finding(file, call, array, picture)


def _parts(frame: Frame, call: ast.Call) -> tuple[ast.expr, list[ast.expr]] | None:
    """What is reshaped, and the sizes."""
    library = (frame.name(call.func) or "").split(".")[0] in ("torch", "numpy")
    sizes = list(call.args)
    if library and len(sizes) == 2:
        array, sizes = sizes[0], sizes[1:]
    elif not library and isinstance(call.func, ast.Attribute):
        array = call.func.value
    else:
        return None
    if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple | ast.List):
        sizes = sizes[0].elts
    return array, sizes


def _moves(frame: Frame, picture: ChannelsLast, array: ast.expr, sizes: list[ast.expr]) -> bool:
    """Whether the sizes put the channels before height and width."""
    if picture.rank is not None and picture.rank > len(sizes):
        return False
    if all(isinstance(size, ast.Name) and _position(frame, array, size) is not None for size in sizes):
        return False  # its own sizes in another order: TS310
    channels, last = whole(frame, sizes[-3]), whole(frame, sizes[-1])
    if channels is not None:
        return channels in picture.channels and last not in picture.channels
    rank = picture.rank or len(sizes)
    return _position(frame, array, sizes[-3]) in (rank - 1, -1)


def _position(frame: Frame, array: ast.expr, size: ast.expr) -> int | None:
    """Which of the array's own sizes a size is: `x.shape[3]`, `x.size(3)`, `c` of `n, h, w, c = x.shape`."""
    if isinstance(size, ast.Subscript) and _is_shape(frame, size.value, array):
        return whole(frame, size.slice)
    if isinstance(size, ast.Call) and isinstance(size.func, ast.Attribute) and size.func.attr == "size":
        same = len(size.args) == 1 and _is_same(frame, size.func.value, array)
        return whole(frame, size.args[0]) if same else None
    if isinstance(size, ast.Name):
        bindings = reaching(frame, size)
        if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].value is None:
            return None
        if bindings[0].scope is not frame.scope or len(bindings[0].path) != 1:
            return None
        return bindings[0].path[0] if _is_shape(frame, bindings[0].value, array) else None
    return None


def _is_shape(frame: Frame, node: ast.expr, array: ast.expr) -> bool:
    if isinstance(node, ast.Attribute) and node.attr == "shape":
        return _is_same(frame, node.value, array)
    size = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "size"
    if size and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
        return _is_same(frame, node.func.value, array)
    return False


def _is_same(frame: Frame, node: ast.expr, array: ast.expr) -> bool:
    """Whether two names stand for the same array."""
    if not isinstance(node, ast.Name) or not isinstance(array, ast.Name) or node.id != array.id:
        return False
    first, second = reaching(frame, node), reaching(frame, array)
    return len(first) == 1 and first == second


def _finding(file: File, call: ast.Call, array: ast.expr, picture: ChannelsLast) -> Finding:
    order = "(2, 0, 1)" if picture.rank == 3 else "(0, 3, 1, 2)"
    told = ast.unparse(array)
    told = f"`{told}`" if len(told) < 40 else "the pictures"
    made = picture.frame.file.related(picture.node, "made here, with the channels last")
    verb = ast.unparse(call.func).rsplit(".", 1)[-1]
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"the channels of {told} are last, and `{verb}` does not move them, it cuts the rows into pieces",
        why="the shapes are right and every picture is scrambled",
        fix=Fix(f"Use `permute{order}` of a tensor, or `transpose{order}` of an array."),
        related=(made,),
    )


_PICTURES = 16
"""So many of a batch are looked at."""

_SMALLEST = 16
"""Smaller pictures say little about neighbours."""

_SMOOTHER = 0.5
"""So different are neighbours at the most, beside those of the way in which the pictures are given."""

_BATCHES = 2


class Watch(Detector):
    """Looks at the pictures that come to the first layers of convolution, in the first sampled steps."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._looks = self._scrambled = 0
        self._place: Place | None = None

    @sampled
    def on_forward_began(self, event: Event) -> None:
        """A model is called."""
        self._place = event.place

    @sampled
    def on_forward(self, event: Event) -> None:
        """One of its layers was."""
        layer = event.subject
        if type(layer).__name__ != "Conv2d" or layer.in_channels != 3 or not event.args:
            return
        ratios = _ratios(event.args[0])
        if ratios is None:
            return
        self._looks += 1
        self._scrambled += max(ratios) < _SMOOTHER
        if self._scrambled == _BATCHES == self._looks:
            self.found(
                f"The pictures that `{self.names.module(layer)}` is given still have their channels last: "
                f"read so, neighbours are {1 / max(ratios):.2g} times as alike as in the shape they have",
                why="`view` and `reshape` cut the values anew and move none: the pictures are scrambled",
                place=self._place,
                fix="Move the channels with `permute(0, 3, 1, 2)`, where the pictures are made.",
                shape=list(event.args[0].shape),
                differences=[round(ratio, 3) for ratio in ratios],
            )
        if self._looks >= _BATCHES:
            self.stream.drop(self)


def _ratios(pictures: Any) -> tuple[float, float] | None:
    """How different neighbours are with the channels read last, beside how they are: across, down."""
    if not is_tensor(pictures) or pictures.ndim != 4 or pictures.is_complex():
        return None
    if pictures.requires_grad or pictures.is_sparse or pictures.is_meta:
        return None
    values = pictures.detach()[:_PICTURES].float()
    count, channels, height, width = values.shape
    if count < _PICTURES // 2 or min(height, width) < _SMALLEST:
        return None
    # Read anew on purpose, as if they were never moved.
    last = values.flatten().unflatten(0, (count, height, width, channels))
    across = float((values[..., 1:] - values[..., :-1]).abs().mean())
    down = float((values[:, :, 1:] - values[:, :, :-1]).abs().mean())
    if not 0 < across < float("inf") or not 0 < down < float("inf"):
        return None
    return (
        float((last[:, :, 1:] - last[:, :, :-1]).abs().mean()) / across,
        float((last[:, 1:] - last[:, :-1]).abs().mean()) / down,
    )
