"""Optimizers at work.

`step_began` and `step_ended`: subject the optimizer. `cleared`: `zero_grad` was called, subject the
optimizer or module. `optimizer_made`: subject a new optimizer.
"""

from __future__ import annotations

import functools
import weakref
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim import optimizer as optim

from torchstone.review.sharding import Sharding
from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Registers torch's hooks for all optimizers, and replaces `zero_grad`, which has none."""
    stream.subscribe(Sharding(stream))

    last: list[Any] = [_nobody]

    def remember(optimizer: Optimizer) -> None:
        if last[0]() is not optimizer:
            stream.optimizers.add(optimizer)
            last[0] = weakref.ref(optimizer)

    def began(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        remember(optimizer)
        stream.emit("step_began", optimizer)

    def ended(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        stream.emit("step_ended", optimizer)
        if not stream.quiet:
            stream.advance(optimizer)

    # Put into torch's own tables: Dynamo would compile the functions that do that.
    tables = (
        (optim._global_optimizer_pre_hooks, optim.register_optimizer_step_pre_hook(began), began),
        (optim._global_optimizer_post_hooks, optim.register_optimizer_step_post_hook(ended), ended),
    )
    keyed: list[tuple[Any, int, Any]] = [(table, handle.id, hook) for table, handle, hook in tables]

    def on() -> None:
        for table, key, hook in keyed:
            table[key] = hook

    def off() -> None:
        for table, key, _ in keyed:
            table.pop(key, None)

    stream.switch(off, on)
    for owner in (Optimizer, nn.Module):
        stream.replace(owner, "zero_grad", _telling(stream, vars(owner)["zero_grad"], "cleared"))
    made = _telling(stream, vars(Optimizer)["__init__"], "optimizer_made")

    @functools.wraps(made)
    def make(self: Optimizer, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        stream.optimizers.add(self)

    stream.replace(Optimizer, "__init__", make)


def _nobody() -> None:
    """As a reference to an optimizer that is gone."""


def _telling(stream: Stream, original: Any, kind: str) -> Any:
    """A method that tells when it has done its work."""

    @functools.wraps(original)
    def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        stream.emit(kind, self)
        return result

    return told
