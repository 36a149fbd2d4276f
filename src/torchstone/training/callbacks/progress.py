"""Progress: shows where a run is, without slowing it down."""

from __future__ import annotations

import sys
import time
from typing import IO, Any, Literal, Protocol

from torchstone.training.callbacks import Callback, TrainContext
from torchstone.training.display.lines import Lines
from torchstone.training.display.notebook import Notebook, in_notebook
from torchstone.training.display.status import Status, duration, label, number

Kind = Literal["auto", "live", "lines", "notebook"]

_METRICS = 3
"""How many metrics of an epoch are shown; the others are in the history."""


class Display(Protocol):
    """What can show a run; `pace` is the least time between two drawings in seconds."""

    pace: float

    def start(self, status: Status) -> None:
        """Before the first step."""

    def draw(self, status: Status) -> None:
        """At most once a `pace`."""

    def epoch(self, status: Status) -> None:
        """After an epoch."""

    def end(self, status: Status, summary: str) -> None:
        """Once at the end."""


class Progress(Callback):
    """Shows epoch, step, losses, metrics, samples per second and time left, on stderr.

    Live on a terminal (at most ten times a second), plain lines where there is none, one bar in a notebook.
    A step costs a look at the clock. `NO_COLOR` is respected.

    Args:
        kind: the display; `auto` finds out.
        file: where `live` and `lines` write; default: stderr.
    """

    def __init__(self, kind: Kind = "auto", file: IO[str] | None = None) -> None:
        self.kind = kind
        self.file = file
        self._display: Display | None = None
        self._record: dict[str, Any] = {}
        self._values: list[float] = []
        self._latest: dict[str, float] = {}
        self._next = 0.0

    def on_start(self, context: TrainContext) -> None:
        """Chooses the display and begins to measure."""
        self._display = _display(self.kind, self.file or sys.stderr)
        self._began, self._first_step = time.monotonic(), context.state.step
        self._epoch_step = context.state.step
        self._record, self._latest = {}, {}
        self._values = [_value(record, context.monitor) for record in context.state.history]
        if context.state.history:
            self._latest = _metrics(context.state.history[-1], context.monitor)
        self._display.start(self._status(context))

    def on_step(self, context: TrainContext) -> None:
        """Draws when it is time."""
        now = time.monotonic()
        if now >= self._next and self._display is not None:
            self._display.draw(self._status(context))
            drawn = time.monotonic()
            # A slow terminal, such as one far away, makes it draw less often: 2 % of the time at most.
            self._next = drawn + max(self._display.pace, 50 * (drawn - now))

    def on_log(self, context: TrainContext, record: dict[str, Any]) -> None:
        """Remembers the loss."""
        self._record = record

    def on_epoch_end(self, context: TrainContext, record: dict[str, Any]) -> None:
        """Remembers and shows what the epoch gave."""
        self._values.append(_value(record, context.monitor))
        self._latest = _metrics(record, context.monitor)
        self._record = {"samples_per_second": record.get("samples_per_second")}  # the loss is now the epoch's
        self._epoch_step = context.state.step
        if self._display is not None:
            self._display.epoch(self._status(context, finished=True))

    def on_end(self, context: TrainContext, error: BaseException | None) -> None:
        """Gives the terminal back and leaves one line that says how it ended."""
        if self._display is not None:
            status = self._status(context, finished=True)
            self._display.end(status, _summary(context, status, error))
            self._display = None

    def _status(self, context: TrainContext, finished: bool = False) -> Status:
        state, steps = context.state, context.steps_per_epoch
        done = state.step - state.epoch * steps if steps else state.step - self._epoch_step
        status = Status(
            epoch=min(state.epoch + 1, context.epochs),
            epochs=context.epochs,
            step=max(done, 0),
            steps=steps,
            loss=self._record.get("loss"),
            samples_per_second=self._record.get("samples_per_second"),
            elapsed=state.seconds,
            monitor=context.monitor,
            monitored=self._values,
            higher_is_better=context.higher_is_better,
            latest=self._latest,
            waited=state.best.waited,
            patience=context.settings.patience,
        )
        if finished:  # the epoch that has just ended, not the one that has not begun
            status.epoch, status.step = max(state.epoch, 1), steps or 0
        status.left = self._left(context, status)
        return status

    def _left(self, context: TrainContext, status: Status) -> float | None:
        """Seconds to the end at the pace since this process began, validation included."""
        steps = context.steps_per_epoch
        made = context.state.step - self._first_step
        if made <= 0:
            return None
        elapsed = time.monotonic() - self._began
        total = context.epochs * steps if steps else None
        if total is None and context.state.epoch:
            total = round(context.epochs * context.state.step / context.state.epoch)
        left = None if total is None else max(total - context.state.step, 0) * elapsed / made
        if context.settings.max_time is not None:
            budget = max(context.settings.max_time - context.state.seconds, 0.0)
            left = budget if left is None else min(left, budget)
        return left


def _display(kind: Kind, file: IO[str]) -> Display:
    if kind == "notebook" or (kind == "auto" and in_notebook()):
        return Notebook()
    if kind == "live" or (kind == "auto" and file.isatty() and _can_redraw()):
        from torchstone.training.display.terminal import Terminal  # rich costs start-up time

        return Terminal(file)
    return Lines(file)


def _can_redraw() -> bool:
    import os

    return os.environ.get("TERM", "") not in ("", "dumb") or os.name == "nt"


def _value(record: dict[str, Any], monitor: str | None) -> float:
    value = record.get(monitor) if monitor else None
    return float(value) if isinstance(value, int | float) else float("nan")


def _metrics(record: dict[str, Any], monitor: str | None) -> dict[str, float]:
    """The numbers of an epoch that are shown: the monitored one, the losses, then the first others."""
    keys = [key for key in record if key.startswith(("val_", "train_"))]
    ordered = sorted(keys, key=lambda key: (key != monitor, key != "val_loss", key == "train_loss"))
    return {key: float(record[key]) for key in ordered[:_METRICS] if isinstance(record[key], int | float)}


def _summary(context: TrainContext, status: Status, error: BaseException | None) -> str:
    """`Trained 50 epochs in 2:31 (no improvement for 8 epochs). Best val loss 0.2541 in epoch 42.`"""
    done, state = context.state.epoch, context.state
    epochs = f"{done} epoch{'s' * (done != 1)}"
    if error is not None:
        how = f"Ended after {epochs} and {state.step:,} steps in {duration(state.seconds)}"
    else:
        how = f"Trained {epochs} in {duration(state.seconds)}"
    reason = f" ({context.stop_reason})" if context.stop_reason else ""
    best = status.best
    kept = (
        f" Best {label(status.monitor)} {number(best[0])} in epoch {best[1]}"
        + ("." if context.settings.keep == "best" else "; the last weights are kept.")
        if best and status.monitor
        else ""
    )
    return f"{how}{reason}.{kept}"
