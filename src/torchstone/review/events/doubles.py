"""Tensors in float64 that the program makes, for a few steps after a detector asked for it.

`double_made`: subject the tensor; `name` of the function, such as `from_numpy`. What is made from numbers of
Python, and what libraries make, is not told.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

from torchstone.review.stream import Stream

_STEPS = 8
_FUNCTIONS = ("tensor", "as_tensor", "from_numpy", "asarray", "linspace", "zeros", "ones", "full", "arange")


def install(stream: Stream) -> None:
    """Replaces nothing yet: in most programs nothing is float64."""


def follow(stream: Stream) -> None:
    """Replaces functions that make tensors."""
    for name in _FUNCTIONS:
        told = _telling(stream, name, getattr(torch, name))
        stream.replace(torch, name, told, until=stream.step + _STEPS)


def _telling(stream: Stream, name: str, original: Any) -> Any:
    @functools.wraps(original)
    def make(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if not stream.quiet and isinstance(result, torch.Tensor) and result.dtype is torch.float64:
            stream.emit("double_made", result, name=name)
        return result

    return make
