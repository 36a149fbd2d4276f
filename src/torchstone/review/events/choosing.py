"""The largest of the scores of each sample, and what it is compared with.

`chosen`: after `argmax` or `max` over the first of two dimensions; subject the scores; `result` (the
positions). `chosen_of_one`: the same over the second, of size one. `comparing`: before a comparison for
equality, from the first of these on that a detector asks for more at; subject the left side, `other`.

The file's name comes before that of `cuts.py`, whose replacement of `argmax` leaves first.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from torchstone.review.stream import Stream

_STEPS = 64


def install(stream: Stream) -> None:
    """Replaces `argmax` and `max` of tensors and of torch."""
    for owner in (Tensor, torch):
        for name in ("argmax", "max"):
            stream.replace(owner, name, _choosing(stream, name, getattr(owner, name)))


def follow(stream: Stream) -> None:
    """Replaces comparisons for equality."""
    for owner, name in ((Tensor, "__eq__"), (Tensor, "eq"), (torch, "eq")):
        told = _comparing(stream, getattr(owner, name))
        stream.replace(owner, name, told, until=stream.step + _STEPS)


def _choosing(stream: Stream, name: str, original: Any) -> Any:
    @functools.wraps(original)
    def choose(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        dimension = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if type(dimension) is not int or not args or stream.quiet:  # max(a, b): the second is no dimension
            return result
        try:
            scores, places = args[0], result if name == "argmax" else result.indices
            if isinstance(scores, Tensor) and scores.dim() == 2:
                if dimension in (0, -2) and scores.is_floating_point():
                    stream.emit("chosen", scores, result=places)
                elif dimension in (1, -1) and scores.shape[1] == 1 < scores.shape[0]:
                    stream.emit("chosen_of_one", scores, result=places)
        except Exception as error:  # a subclass or something like a tensor, which has its own `max`
            stream.overlook(error)
        return result

    return choose


def _comparing(stream: Stream, original: Any) -> Any:
    @functools.wraps(original)
    def compare(*args: Any, **kwargs: Any) -> Any:
        if not stream.quiet and len(args) > 1 and isinstance(args[0], Tensor) and isinstance(args[1], Tensor):
            stream.emit("comparing", args[0], other=args[1])
        return original(*args, **kwargs)

    return compare
