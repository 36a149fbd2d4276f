"""Memory of devices.

`cache_emptied`: `empty_cache` was called, subject its name.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `empty_cache` of each kind of device."""
    for name in ("cuda", "mps", "xpu"):
        module = getattr(torch, name, None)
        if module is not None and "empty_cache" in vars(module):
            stream.replace(module, "empty_cache", _telling(stream, f"torch.{name}.empty_cache", module))


def _telling(stream: Stream, name: str, module: Any) -> Any:
    original = vars(module)["empty_cache"]

    @functools.wraps(original)
    def empty_cache(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        stream.emit("cache_emptied", name)
        return result

    return empty_cache
