"""Values that cross from one device to another.

`waited`: after the program read the values of a tensor on another device than the CPU, for which the CPU
had to wait; subject the tensor; `name` (such as `.item()` or `print`), `seconds`. `moved`: after a tensor was
copied from one device to another that is not the CPU; subject the one that was copied; `result`, `seconds`.
Both are told only in sampled steps and where the user's own code asked for it; on the CPU alone nothing is.

The file's name comes before that of `cuts.py`, whose replacements of the same methods leave first.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from typing import Any

import torch
from torch import Tensor

from torchstone.review.places import is_users
from torchstone.review.stream import Stream

_STEPS = 64
"""Where there is no other device, nothing is looked for after so many steps."""

_READING = {
    "item": ".item()",
    "tolist": ".tolist()",
    "cpu": ".cpu()",
    "__float__": "float()",
    "__bool__": "bool()",
    "__format__": "print",
    "__repr__": "print",
}
_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


def install(stream: Stream) -> None:
    """Replaces methods of tensors that read or move values."""
    state = threading.local()
    until = None if torch.accelerator.is_available() else _STEPS
    for name, shown in _READING.items():
        stream.replace(Tensor, name, _reading(stream, shown, getattr(Tensor, name), state), until=until)
    for name in ("to", "cuda"):
        stream.replace(Tensor, name, _moving(stream, f".{name}()", getattr(Tensor, name)), until=until)


def _reading(stream: Stream, name: str, original: Any, state: threading.local) -> Any:
    @functools.wraps(original)
    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not stream.sampled or stream.quiet or getattr(state, "inside", False) or _stays(stream, self):
            return original(self, *args, **kwargs)
        began = time.perf_counter()
        state.inside = True  # printing reads values by the other methods
        try:
            result = original(self, *args, **kwargs)
        finally:
            state.inside = False
        if _is_asked_by_user():
            stream.emit("waited", self, name=name, seconds=time.perf_counter() - began)
        return result

    return read


def _moving(stream: Stream, name: str, original: Any) -> Any:
    @functools.wraps(original)
    def move(self: Any, *args: Any, **kwargs: Any) -> Any:
        if stream.quiet or not stream.sampled:
            return original(self, *args, **kwargs)
        began = time.perf_counter()
        result = original(self, *args, **kwargs)
        if result is self or not isinstance(result, Tensor):
            return result
        seconds = time.perf_counter() - began
        try:
            crossed, home = result.device != self.device, result.is_cpu
        except Exception as error:  # a subclass that has none
            stream.overlook(error)
            return result
        if crossed and _is_asked_by_user():
            if home:
                stream.emit("waited", self, name=name, seconds=seconds)
            else:
                stream.emit("moved", self, result=result, seconds=seconds)
        return result

    return move


def _stays(stream: Stream, tensor: Any) -> bool:
    """Whether a tensor is where it is read; so for a subclass that does not say."""
    try:
        with torch._C.DisableTorchFunction():  # modes and subclasses may count what is asked
            return bool(tensor.is_cpu)
    except Exception as error:
        stream.overlook(error)
        return True


def _is_asked_by_user() -> bool:
    """Whether the user's own code called the method, and no library on its behalf."""
    frame = sys._getframe(2)
    while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back  # a replacement upon this one
    return is_users(frame.f_code.co_filename)
