"""Results that have no gradient though what they are made from has one; in the first steps only.

`cut`: subject the tensor; `name` (such as `detach`, `argmax` or `round`).
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from torchstone.review.stream import Stream

_STEPS = 10
"""A gradient that is cut is cut from the first step on."""

_FLAT = ("round", "floor", "ceil", "sign")
"""These have a gradient, which is zero."""

_METHODS = ("detach", "item", "tolist", "argmax", "long", "int", "bool", "to", *_FLAT)
_FUNCTIONS = ("tensor", "argmax", *_FLAT)


def install(stream: Stream) -> None:
    """Replaces methods of tensors and functions of torch."""
    for owner, names in ((Tensor, _METHODS), (torch, _FUNCTIONS)):
        for name in names:
            stream.replace(owner, name, _telling(stream, name, getattr(owner, name)), until=_STEPS)


def _telling(stream: Stream, name: str, original: Any) -> Any:
    @functools.wraps(original)
    def cutting(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if stream.step < _STEPS and not stream.quiet and args and torch.is_grad_enabled():
            try:
                source = _with_gradient(args[0])
                if source is not None and (name in _FLAT or getattr(result, "grad_fn", None) is None):
                    stream.emit("cut", source, name=name)
            except Exception as error:
                stream.overlook(error)
        return result

    return cutting


def _with_gradient(value: Any) -> Tensor | None:
    """The tensor, or the first one of a list, if it has a history."""
    if isinstance(value, list | tuple) and value:
        value = value[0]
    return value if isinstance(value, Tensor) and value.grad_fn is not None else None
