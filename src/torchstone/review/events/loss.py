"""Losses of `torch.nn.functional` that are computed, by name or through their classes in `torch.nn`.

`loss`: subject the outputs; `name` (such as `mse_loss`), `targets`, `result`, `options`.
"""

from __future__ import annotations

import functools
from typing import Any

import torch.nn.functional as F
from torch import Tensor

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
    @functools.wraps(original)
    def loss(input: Any, target: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A002 - torch's names
        result = original(input, target, *args, **kwargs)
        if isinstance(input, Tensor):
            stream.emit("loss", input, name=name, targets=target, result=result, options=kwargs)
        return result

    return loss
