"""A call of the user's code that prints nothing, while other threads go on printing."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class _Muted:
    """A stream that swallows what one thread writes, and passes on what the others do.

    Args:
        stream: that it stands for.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.thread: int | None = threading.get_ident()
        """None when nothing is swallowed any more: another thread may have kept this one."""

    def write(self, text: str) -> int:
        """Writes, or does not."""
        return len(text) if self._swallows() else self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Likewise."""
        if not self._swallows():
            self._stream.writelines(lines)

    def flush(self) -> None:
        """Likewise."""
        if not self._swallows():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _swallows(self) -> bool:
        return self.thread == threading.get_ident()


@contextmanager
def silence() -> Iterator[None]:
    """Inside, this thread prints nothing and warns of nothing.

    Filters of warnings are left alone, as changing them would let older warnings come again.
    """
    warn, thread = warnings.warn, threading.get_ident()
    muted = {
        name: _Muted(stream) for name in ("stdout", "stderr") if (stream := getattr(sys, name)) is not None
    }

    def warned(*words: Any, **options: Any) -> None:
        if threading.get_ident() != thread:
            warn(*words, **{**options, "stacklevel": options.get("stacklevel", 1) + 1})

    warnings.warn = warned
    for name, stream in muted.items():
        setattr(sys, name, stream)
    try:
        yield
    finally:
        warnings.warn = warn
        for name, stream in muted.items():
            stream.thread = None
            if getattr(sys, name) is stream:
                setattr(sys, name, stream._stream)
