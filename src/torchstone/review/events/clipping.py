"""Gradients that are clipped, and gradient scalers.

`clip_began` and `clipped`: subject the list of parameters; `name`, `limit`. `scaler`: before, subject the
`GradScaler`; `action` (`unscale_`, `step` or `update`), `optimizer`. `scaled`: after `scale`, subject the
`GradScaler`; `result`.
"""

from __future__ import annotations

import functools
from types import GeneratorType
from typing import Any

import torch
from torch.nn import utils

from torchstone.review.places import unseen
from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces the functions of `torch.nn.utils` and the methods of `torch.amp.GradScaler`."""
    for name in ("clip_grad_norm_", "clip_grad_value_"):
        stream.replace(utils, name, _clipping(stream, name, getattr(utils, name)))
    scaler = torch.amp.GradScaler
    for name in ("unscale_", "step", "update"):
        stream.replace(scaler, name, _scaling(stream, name, vars(scaler)[name]))
    scale = vars(scaler)["scale"]

    @functools.wraps(scale)
    def told_scale(self: Any, outputs: Any) -> Any:
        result = scale(self, outputs)
        stream.emit("scaled", self, result=result)
        return result

    stream.replace(scaler, "scale", told_scale)


def _clipping(stream: Stream, name: str, original: Any) -> Any:
    @functools.wraps(original)
    def clip(parameters: Any, *args: Any, **kwargs: Any) -> Any:
        if stream.quiet or not (stream.wants("clipped") or stream.wants("clip_began")):
            return original(parameters, *args, **kwargs)
        if isinstance(parameters, torch.Tensor):
            held = [parameters]
        elif isinstance(parameters, GeneratorType):
            held = list(parameters)
            parameters = (one for one in held)  # torch warns of an empty one
        elif isinstance(parameters, list | tuple):
            held = list(parameters)
        else:  # it may be read once only, or not at all
            return original(parameters, *args, **kwargs)
        limit = args[0] if args else next(iter(kwargs.values()), None)
        stream.emit("clip_began", held, name=name, limit=limit)
        result = original(parameters, *args, **kwargs)
        stream.emit("clipped", held, name=name, limit=limit)
        return result

    return unseen(clip)


def _scaling(stream: Stream, name: str, original: Any) -> Any:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        stream.emit("scaler", self, action=name, optimizer=args[0] if args else None)
        return original(self, *args, **kwargs)

    return method
