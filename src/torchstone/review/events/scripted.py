"""Code that `torch.jit` reads or records: it sees PyTorch as if nobody watched."""

from __future__ import annotations

import functools
from typing import Any

import torch

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Takes the replacements away while `torch.jit` compiles: it would read their source, not torch's."""
    for name in ("script", "trace", "trace_module"):
        stream.replace(torch.jit, name, _unwatched(stream, getattr(torch.jit, name)))


def _unwatched(stream: Stream, original: Any) -> Any:
    @functools.wraps(original)
    def compile(*args: Any, **kwargs: Any) -> Any:  # noqa: A001 - what it does
        with stream.suspended():
            return original(*args, **kwargs)

    return compile
