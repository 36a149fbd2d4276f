"""Modules that are called.

`forward`: subject the module; `args`, `kwargs`, `output`, `root` (called by the program itself, not by
another module), `training`, `recording` (gradients are). Modules inside of others are told only in sampled
steps. `forward_began` comes before, for root modules: `args`, `kwargs`, `recording`.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

from torch import is_grad_enabled, nn

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `nn.Module.__call__`; torch's own hooks would make `torch.compile` warn and compile anew."""
    original = nn.Module.__call__
    state = threading.local()

    @functools.wraps(original)
    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if stream.passing:
            return original(self, *args, **kwargs)
        depth = getattr(state, "depth", 0)
        inner = depth or stream.backwards  # in a backward pass a checkpoint computes again
        if stream.quiet or (inner and not stream.sampled):
            return original(self, *args, **kwargs)
        recording = is_grad_enabled()
        if not inner:
            stream.called(self, recording)
            stream.know(self)
            stream.emit("forward_began", self, args=args, kwargs=kwargs, recording=recording)
        state.depth = depth + 1
        stream.passing = not stream.sampled and not stream.is_elsewhere()
        try:
            output = original(self, *args, **kwargs)
        finally:
            state.depth = depth
            if not inner:
                stream.passing = False
        stream.emit(
            "forward",
            self,
            args=args,
            kwargs=kwargs,
            output=output,
            root=not inner,
            training=getattr(self, "training", True),
            recording=recording,
        )
        return output

    stream.replace(nn.Module, "__call__", call)
