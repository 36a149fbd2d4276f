"""A parameter or buffer is float64, because it was made from a NumPy array.

## What it does
Follows what a parameter, a buffer or the weights of an embedding are made from, and reports NumPy arrays of
float64 that nothing converts, in programs that otherwise compute in float32. While a program runs, it reports
models in float32 that are given no float64 and return it, with the parameter, the buffer, the attribute or
the line that made it.

## Why is this bad?
NumPy's floating-point numbers are float64, and `torch.from_numpy` and `torch.tensor` keep the type. All that
is computed with such a tensor becomes float64: twice the memory, and on most GPUs a thirtieth of the speed.
At the next layer in float32 the program stops.

## References
- [Type promotion](https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc)
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, is_tensor
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import Origin, resolved
from torchstone.review.syntax.program import files_of_program

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS706"
NAME = "float64-creep"
SEVERITY: Severity = "warning"
MENTIONS = ("numpy", "Parameter|from_pretrained|register_buffer")

BAD = (
    Example(
        """
        import numpy as np
        import torch
        from torch import nn

        class Scale(nn.Module):
            def __init__(self, size):
                super().__init__()
                self.scale = nn.Parameter(torch.from_numpy(np.ones(size)))  # TS706

            def forward(self, x):
                return x * self.scale
        """,
        fixed="""
        import numpy as np
        import torch
        from torch import nn

        class Scale(nn.Module):
            def __init__(self, size):
                super().__init__()
                self.scale = nn.Parameter(torch.from_numpy(np.ones(size)).float())

            def forward(self, x):
                return x * self.scale
        """,
    ),
)
GOOD = (
    """
    import numpy as np
    import torch
    from torch import nn

    class Scale(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.scale = nn.Parameter(torch.from_numpy(np.ones(size)).float())

        def forward(self, x):
            return x * self.scale

    print(Scale(3)(torch.ones(2, 3)).dtype)
    """,
)

_FLOAT64 = frozenset(
    f"numpy.{name}"
    for name in words(
        "zeros ones eye identity linspace logspace geomspace random.rand random.randn random.random "
        "random.normal random.uniform random.standard_normal random.random_sample hanning hamming blackman"
    )
)
_SAME = frozenset(
    f"numpy.{name}"
    for name in words("sqrt exp log sin cos tanh abs transpose reshape outer concatenate stack")
)
_METHODS = words("reshape transpose copy sum mean dot clip repeat flatten ravel")
_TAKES_TYPE = frozenset(f"torch.{name}" for name in ("from_numpy", "tensor", "as_tensor"))
_MEANT = re.compile(r"float64|double|set_default_dtype|set_default_tensor_type")


def check(file: File) -> Iterator[Finding]:
    """Looks at each parameter, buffer and embedding."""
    text = file.source.text
    if "numpy" not in text or _MEANT.search(text) or _converts_models(file):
        return
    others: bool | None = None  # whether another file of the program converts models
    for name in ("Parameter", "from_pretrained", "register_buffer"):
        for call in file.index.calls_by_name.get(name, ()):
            frame = file.frame_of(call)
            kept = _kept(frame, call, name)
            made = _from_numpy(frame, kept) if kept is not None else None
            if made is not None and _is_float64(made.frame, made.node, 0):
                if others is None:
                    others = any(_converts_models(other) for other in files_of_program(file)[1:])
                if others:
                    return
                yield _finding(file, call, kept or call, name)


def _converts_models(file: File) -> bool:
    """Whether a whole model may be converted: `model.float()`, `model.to(torch.float32)`."""
    for name in ("float", "half", "to", "bfloat16", "type"):
        for call in file.index.calls_by_name.get(name, ()):
            if not isinstance(call.func, ast.Attribute):
                continue
            value = file.value(call.func.value)
            converts = name != "to" or "float" in ast.unparse(call)
            if (
                converts
                and (value is None or value.kind != "tensor")
                and isinstance(call.func.value, ast.Name | ast.Attribute)
            ):
                return True
    return False


def _kept(frame: Frame, call: ast.Call, name: str) -> ast.expr | None:
    """What a module keeps of what it is given."""
    called = frame.name(call.func)
    if name == "register_buffer":
        first = call.func.value if isinstance(call.func, ast.Attribute) else None
        owner = frame.value(first) if first is not None else None
        given = next((k.value for k in call.keywords if k.arg == "tensor"), None)
        given = call.args[1] if len(call.args) > 1 else given
        return given if owner is not None and owner.kind == "module" else None
    if called in ("torch.nn.Parameter", "torch.nn.Embedding.from_pretrained") and call.args:
        return call.args[0]
    return None


def _from_numpy(frame: Frame, node: ast.expr) -> Origin | None:
    """The array that a tensor of the same type is made from."""
    here = resolved(Origin(frame, node))
    made = here.node
    if not isinstance(made, ast.Call) or here.frame.name(made.func) not in _TAKES_TYPE or not made.args:
        return None
    if any(keyword.arg in ("dtype", None) for keyword in made.keywords) or len(made.args) > 1:
        return None
    return resolved(Origin(here.frame, made.args[0], here.callers))


def _is_float64(frame: Frame, node: ast.expr, depth: int) -> bool:
    """Whether an expression surely is a NumPy array of float64."""
    if depth > 10:
        return False
    if isinstance(node, ast.Name):
        here = resolved(Origin(frame, node))
        return here.node is not node and _is_float64(here.frame, here.node, depth + 1)
    if isinstance(node, ast.BinOp):
        # A number of Python changes no type, another array may.
        sides = (node.left, node.right)
        simple = [isinstance(side, ast.Constant) for side in sides]
        found = [_is_float64(frame, side, depth + 1) for side in sides]
        return all(a or b for a, b in zip(simple, found, strict=True)) and any(found)
    if isinstance(node, ast.UnaryOp | ast.Subscript):
        inner = node.operand if isinstance(node, ast.UnaryOp) else node.value
        return _is_float64(frame, inner, depth + 1)
    if not isinstance(node, ast.Call) or any(k.arg in ("dtype", None) for k in node.keywords):
        return False
    name = frame.name(node.func) or ""
    if name in _FLOAT64:
        positions = 2 if name in ("numpy.zeros", "numpy.ones") else 9
        return len(node.args) < positions
    if name in _SAME:
        return bool(node.args) and _is_float64(frame, node.args[0], depth + 1)
    if not name and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        return _is_float64(frame, node.func.value, depth + 1)
    return False


def _finding(file: File, call: ast.Call, kept: ast.expr, name: str) -> Finding:
    what = {"Parameter": "parameter", "register_buffer": "buffer"}.get(name, "embedding")
    text = ast.get_source_segment(file.source.text, kept)
    edits = (file.replace(kept, f"{text}.float()"),) if text and isinstance(kept, ast.Name | ast.Call) else ()
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"this {what} is float64, since NumPy's numbers are: all that is computed with it becomes float64",
        why="twice the memory, slow on GPUs, and an error at the next layer in float32",
        fix=Fix("Convert it with `.float()`.", edits=edits),
    )


_LISTED = 5


class Watch(Detector):
    """Looks for models in float32 that are given no float64 and return it."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._places: dict[int, tuple[weakref.ref[Any], Place | None]] = {}
        """Of double parameters, by identity: where each was made part of a module."""
        self._first: weakref.ref[Any] | None = None
        """The innermost module, in the forward that goes on, that made double of what was not."""
        self._seen: ByIdentity[int] = ByIdentity()
        self._made: dict[Place, None] = {}
        """Where doubles were made in the forward that goes on."""
        self._lines: list[Place] = []
        """Those of them that were made before the first module gave double."""

    def on_registered(self, event: Event) -> None:
        """A parameter is made part of a module."""
        if is_tensor(event.part) and _is_double(event.part):
            self._places[id(event.part)] = (weakref.ref(event.part), event.place)

    @sampled
    def on_forward_began(self, event: Event) -> None:
        """A forward begins."""
        self._first = None
        self._made.clear()

    @sampled
    def on_double_made(self, event: Event) -> None:
        """A function made a double; asked for once one has crept in."""
        if event.direct and event.place is not None and len(self._made) < _LISTED:
            self._made[event.place] = None

    @sampled
    def on_forward(self, event: Event) -> None:
        """Judges the whole model when it ends."""
        if not any(map(_is_double, _floats(event.output))):
            return
        given = _floats((event.args, event.kwargs))
        creeps = not any(map(_is_double, given))
        if creeps and self._first is None and _own_work(event.subject):
            self._first, self._lines = weakref.ref(event.subject), list(self._made)
        if not event.root or not creeps or not given or not event.recording:
            return
        self._seen[event.subject] = self._seen.get(event.subject, 0) + 1
        if self._seen[event.subject] == 1:
            importlib.import_module("torchstone.review.events.doubles").follow(self.stream)
        elif self._seen[event.subject] == 2:
            self._judge(event)

    def _judge(self, event: Event) -> None:
        parts = [(name, one) for name, one in event.subject.named_parameters() if one.is_floating_point()]
        double = [(name, one) for name, one in parts if _is_double(one)]
        buffers = [(name, one) for name, one in event.subject.named_buffers() if _is_double(one)]
        source = self._first() if self._first is not None else None
        if 2 * len(double) >= len(parts) or _is_meant(type(event.subject)) or _is_meant(type(source)):
            return
        cause = [self.names.parameter(one) or name for name, one in (*double, *buffers)][:_LISTED]
        known, made = self._places.get(id(double[0][1]), (None, None)) if double else (None, None)
        where = made if known is not None and known() is double[0][1] else None
        if not cause and source is None:
            return
        if not cause and not self._lines:
            cause = [f"{self.names.module(source)}.{name}" for name in _double_attributes(source)][:_LISTED]
        origin = (
            f"{', '.join(cause)} {'is' if len(cause) == 1 else 'are'} float64"
            if cause
            else f"it is made in the forward of {type(source).__name__}"
        )
        lines = [] if cause else self._lines
        where = where or (lines[0] if lines else None)
        self.found(
            f"{self.names.module(event.subject)} is in float32 and gives float64: {origin}",
            why="twice the memory, slow on GPUs, and an error at the next layer in float32",
            place=where or event.place,
            fix="Convert it with `.float()` where it is made.",
            related=(
                *((line, "made in float64 here, too") for line in lines[1:]),
                *(((event.place, "this output is float64"),) if where is not None else ()),
            ),
            cause=id(event.subject),
            module=self.names.module(source) if source is not None else None,
        )


def _double_attributes(module: Any) -> list[str]:
    """The attributes of a module that are doubles and neither parameters nor buffers."""
    return [name for name, value in vars(module).items() if is_tensor(value) and _is_double(value)]


def _is_double(tensor: Any) -> bool:
    return str(tensor.dtype) == "torch.float64"


def _floats(value: Any, depth: int = 0) -> list[Any]:
    """The floating-point tensors of what a module is given or gives."""
    if is_tensor(value):
        return [value] if value.is_floating_point() else []
    if depth < 3 and issubclass(type(value), dict):
        value = list(value.values())
    if depth < 3 and issubclass(type(value), (list, tuple)):
        return [tensor for each in value for tensor in _floats(each, depth + 1)]
    return []


def _own_work(module: Any) -> bool:
    """Whether a module computes itself; a container leaves that to its parts."""
    return not type(module).__module__.startswith("torch.nn.modules.container")


def _is_meant(kind: type) -> bool:
    """Whether the source of a class of the user's speaks of the type."""
    if kind.__module__.startswith("torch."):
        return False
    try:
        return _MEANT.search(inspect.getsource(kind)) is not None
    except (OSError, TypeError):
        return True  # it cannot be known
