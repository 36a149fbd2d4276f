"""Dropout by function call, by the user's own code.

`dropout`: before it, only where something is dropped; subject the input; `name`, `p`, `given` (what decides
was passed: `training` of dropout, `dropout_p` of attention).
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from torchstone.review.places import is_users
from torchstone.review.stream import Stream

_ATTENTION = "scaled_dot_product_attention"


def install(stream: Stream) -> None:
    """Replaces the functions; layers of `torch.nn` use them too, and are passed over."""
    for name in ("dropout", "dropout1d", "dropout2d", "dropout3d"):
        stream.replace(F, name, _dropping(stream, name, getattr(F, name)))
    stream.replace(F, _ATTENTION, _attending(stream, getattr(F, _ATTENTION)))


def _dropping(stream: Stream, name: str, original: Any) -> Any:
    @functools.wraps(original)
    def dropout(input: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A002 - torch's name
        if not stream.quiet and isinstance(input, Tensor) and _is_asked_by_user():
            rate = kwargs.get("p", args[0] if args else 0.5)
            given = "training" in kwargs or len(args) > 1
            at_work = kwargs.get("training", args[1] if len(args) > 1 else True)
            if _is_number(rate) and rate > 0 and _is_number(at_work) and at_work:
                stream.emit("dropout", input, name=name, p=rate, given=given)
        return original(input, *args, **kwargs)

    return dropout


def _attending(stream: Stream, original: Any) -> Any:
    @functools.wraps(original)
    def attention(query: Any, *args: Any, **kwargs: Any) -> Any:
        rate = kwargs.get("dropout_p", args[3] if len(args) > 3 else 0.0)
        told = _is_number(rate) and rate and not stream.quiet and isinstance(query, Tensor)
        if told and _is_asked_by_user():
            stream.emit("dropout", query, name=_ATTENTION, p=rate, given=True)
        return original(query, *args, **kwargs)

    return attention


def _is_number(value: Any) -> bool:
    """Whether it is one of Python, of which nothing surprising can be asked."""
    return isinstance(value, bool | int | float)


def _is_asked_by_user() -> bool:
    caller = sys._getframe(2)
    return is_users(caller.f_code.co_filename)
