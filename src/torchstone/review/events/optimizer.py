"""Optimizers at work.

`step_began` and `step_ended`: subject the optimizer. `cleared`: `zero_grad` was called, subject the
optimizer or module. `optimizer_made`: subject a new optimizer.
"""

from __future__ import annotations

import functools
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Registers torch's hooks for all optimizers, and replaces `zero_grad`, which has none."""

    def began(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        stream.emit("step_began", optimizer)

    def ended(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        stream.emit("step_ended", optimizer)
        if not stream.quiet:
            stream.advance()

    for handle in (register_optimizer_step_pre_hook(began), register_optimizer_step_post_hook(ended)):
        stream.at_end(handle.remove)
    for owner in (Optimizer, nn.Module):
        stream.replace(owner, "zero_grad", _telling(stream, vars(owner)["zero_grad"], "cleared"))
    stream.replace(Optimizer, "__init__", _telling(stream, vars(Optimizer)["__init__"], "optimizer_made"))


def _telling(stream: Stream, original: Any, kind: str) -> Any:
    """A method that tells when it has done its work."""

    @functools.wraps(original)
    def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        stream.emit(kind, self)
        return result

    return told
