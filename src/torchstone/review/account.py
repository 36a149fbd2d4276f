"""What a watched run was, for the page of its findings: command, time, end, losses."""

from __future__ import annotations

import math
import platform
import sys
import traceback
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING

from torchstone.review.objects import is_number
from torchstone.review.places import shown
from torchstone.review.report import WatchedRun
from torchstone.review.watcher import StoppedByFinding

if TYPE_CHECKING:
    from torchstone.review.stream import Event, Stream
    from torchstone.review.watcher import Watcher

_MOST_POINTS = 256
"""So many losses of a line are kept; of more every second one is left out."""
_MOST_LINES = 4
_PERIOD = 61
"""Each such backward pass counts, too: a prime, as steps that are looked at in full may be of one optimizer
alone where several take turns."""
_MOST_WORDS = 20_000


class Losses:
    """Some of the losses that a program went back from, by the line of `backward`."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._kept: dict[str, list[tuple[int, float]]] = {}
        self._gaps: dict[str, int] = {}
        self._passes = 0

    def on_backward(self, event: Event) -> None:
        """Keeps the loss of some passes, the first of a line in a step."""
        self._passes += 1
        if not self._stream.sampled and self._passes % _PERIOD:
            return
        loss = event.subject
        if not is_number(loss) or loss.is_meta:
            return
        place = event.place
        if place is None:
            return
        line = f"{shown(place.file)}:{place.line}"
        kept = self._kept.get(line)
        if kept is None:
            if len(self._kept) == _MOST_LINES:
                return
            kept = self._kept[line] = []
        if kept and self._stream.step - kept[-1][0] < self._gaps.get(line, 1):
            return
        kept.append((self._stream.step, float(loss.detach())))
        if len(kept) > _MOST_POINTS:
            del kept[1::2]
            self._gaps[line] = max(2 * self._gaps.get(line, 1), kept[-1][0] - kept[-2][0])

    def by_line(self) -> dict[str, list[tuple[int, float]]]:
        """Steps and losses by file and line; those that are no numbers are there, too."""
        return self._kept


class Account:
    """Follows one run from its beginning.

    Args:
        watcher: of the run, before it is started.
        command: the script, or `-m` and the module, and their arguments.
    """

    def __init__(self, watcher: Watcher, command: list[str]) -> None:
        self._watcher, self._command = watcher, tuple(command)
        self._losses = Losses(watcher.stream)
        watcher.stream.subscribe(self._losses)
        self._started, self._began = datetime.now(), perf_counter()

    def of(self, error: BaseException | None, ended: str | None = None) -> WatchedRun:
        """What the run was.

        Args:
            error: what ended the script, if anything did.
            ended: how it ended, where no error tells it.
        """
        crashed = isinstance(error, Exception)
        return WatchedRun(
            command=self._command,
            started=self._started.isoformat(" ", "minutes"),
            seconds=perf_counter() - self._began,
            spent=self._watcher.stream.spent,
            ended=ended or _ended(error),
            traceback="".join(traceback.format_exception(error))[-_MOST_WORDS:] if crashed and error else "",
            versions={
                "Python": platform.python_version(),
                "PyTorch": str(getattr(sys.modules.get("torch"), "__version__", "not imported")),
                "platform": platform.platform(terse=True),
            },
            losses={line: points for line, points in self._losses.by_line().items() if len(points) > 1},
        )


def _ended(error: BaseException | None) -> str:
    """How a script ended, in words; nothing where it came to its end."""
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return ""
    if isinstance(error, SystemExit):
        return f"The script ended with status {error.code if isinstance(error.code, int) else 1}."
    if isinstance(error, StoppedByFinding):
        return "The script was stopped at a finding, as --stop-on asks."
    if isinstance(error, KeyboardInterrupt):
        return "The script was stopped by Ctrl-C."
    message = " ".join(str(error).split())
    return f"The script ended with {type(error).__name__}{f': {message[:500]}' if message else ''}"


def finite(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The points whose loss is a number."""
    return [(step, loss) for step, loss in points if math.isfinite(loss)]
