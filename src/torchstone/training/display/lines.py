"""Plain lines where there is no terminal: one per epoch, and for long epochs one now and then."""

from __future__ import annotations

from typing import IO

from torchstone.training.display.status import Status, duration, label, number, rate


class Lines:
    """Writes a line per epoch.

    Args:
        file: where to.
    """

    pace = 30.0
    """Least seconds between two lines inside an epoch."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self._drawn = False

    def start(self, status: Status) -> None:
        """Nothing is known yet."""

    def draw(self, status: Status) -> None:
        """A line inside a long epoch; not at its very beginning."""
        if self._drawn and status.loss is not None:
            done = f"step {status.step:,}" + (f"/{status.steps:,}" if status.steps else "")
            self._write([_epoch(status), done, f"train loss {number(status.loss)}", *_pace(status)])
        self._drawn = True

    def epoch(self, status: Status) -> None:
        """The numbers of an epoch."""
        values = [f"{label(key)} {number(value)}" for key, value in status.latest.items()]
        best = ["best"] if status.is_best else []
        self._write([_epoch(status), *values, *_pace(status), *best])

    def end(self, status: Status, summary: str) -> None:
        """How it ended."""
        self._write([summary])

    def _write(self, words: list[str]) -> None:
        self.file.write("  ".join(words) + "\n")
        self.file.flush()


def _epoch(status: Status) -> str:
    width = len(str(status.epochs))
    return f"epoch {status.epoch:>{width}}/{status.epochs}"


def _pace(status: Status) -> list[str]:
    words = [rate(status.samples_per_second)] if status.samples_per_second else []
    words.append(duration(status.elapsed))
    return [*words, status.remaining] if status.remaining else words
