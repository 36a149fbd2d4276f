"""Losses of `torch.nn.functional` that are computed, by name or through their classes in `torch.nn`.

`loss`: subject the outputs; `name` (such as `mse_loss`), `targets`, `result`, `options` (arguments by name).
`loss_began` comes before, `loss_failed` in its place where the loss raises: `error`. What `torch.func`
computes is not told: its tensors stand for others.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from torchstone.review.places import unseen
from torchstone.review.stream import Stream

_LOSSES = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "kl_div",
    "poisson_nll_loss",
)


def install(stream: Stream) -> None:
    """Replaces the losses."""
    for name in _LOSSES:
        stream.replace(F, name, _telling(stream, name, getattr(F, name)))


def _telling(stream: Stream, name: str, original: Any) -> Any:
    names = list(inspect.signature(original).parameters)[2:]
    transformed = getattr(torch._C._functorch, "peek_interpreter_stack", lambda: None)

    def options(args: Any, kwargs: Any) -> dict[str, Any]:
        return {**dict(zip(names, args, strict=False)), **kwargs}

    @functools.wraps(original)
    def loss(input: Any, target: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A002 - torch's names
        if stream.quiet or not isinstance(input, Tensor) or transformed() is not None:
            return original(input, target, *args, **kwargs)
        following = stream.wants("loss_began") or stream.wants("loss")
        if following:
            stream.emit("loss_began", input, name=name, targets=target, options=options(args, kwargs))
        try:
            result = original(input, target, *args, **kwargs)
        except Exception as error:
            told = {"name": name, "targets": target, "options": options(args, kwargs)}
            stream.emit("loss_failed", input, error=error, **told)
            raise
        if following:
            stream.emit(
                "loss", input, name=name, targets=target, options=options(args, kwargs), result=result
            )
        return result

    return unseen(loss)
