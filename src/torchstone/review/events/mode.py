"""Modules that are put in training or evaluation mode.

`mode`: subject the module on which `train()` or `eval()` was called; `training`.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

from torch import nn

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `nn.Module.train`, which `eval` calls; it calls itself for the parts of a module."""
    original = nn.Module.train
    state = threading.local()

    @functools.wraps(original)
    def train(self: nn.Module, mode: bool = True) -> Any:
        if stream.quiet or getattr(state, "inside", False):
            return original(self, mode)
        state.inside = True
        try:
            result = original(self, mode)
        finally:
            state.inside = False
        stream.emit("mode", self, training=mode)
        return result

    stream.replace(nn.Module, "train", train)
