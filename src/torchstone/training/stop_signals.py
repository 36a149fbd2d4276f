"""Ctrl-C and SIGTERM ask the loop to stop; it looks at a flag between steps and loses nothing."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """While entered, the first SIGINT or SIGTERM sets `requested`; a second one raises at once.

    Handlers are set in the main thread only (elsewhere Python allows none) and are put back on leaving. A
    forked worker that inherits a handler ignores the signal, as its parent decides when it ends.
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        """The name of the signal that came, such as `SIGINT`; None while none came."""
        self._before: dict[signal.Signals, Any] = {}
        self._process = os.getpid()

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.getsignal(number)
                signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            # None: a handler that was not set from Python cannot be set from Python either
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return
        if self.requested is not None:
            raise KeyboardInterrupt
        self.requested = signal.Signals(number).name
