"""SIGTERM as an exception, so that it ends a program as cleanly as Ctrl-C does. Imports no torch."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Termination(KeyboardInterrupt):
    """SIGTERM came."""


def signal_of(interruption: KeyboardInterrupt) -> signal.Signals:
    """The signal that an exception stands for."""
    return signal.SIGTERM if isinstance(interruption, Termination) else signal.SIGINT


@contextmanager
def termination_raises() -> Iterator[None]:
    """Inside, SIGTERM is raised as `Termination`, unless the program has a handler of its own.

    Only the main thread can have handlers; in others this changes nothing.
    """
    process = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:
            raise Termination
        signal.signal(number, signal.SIG_DFL)  # a forked worker ends as it would have without us
        os.kill(os.getpid(), number)

    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    try:
        signal.signal(signal.SIGTERM, handle)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
