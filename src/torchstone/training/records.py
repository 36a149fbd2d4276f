"""What a training tells of itself: losses brought over from the device, and the records made of them."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

from torchstone.errors import RunError
from torchstone.training.endings import diverged
from torchstone.training.session import Session

_LOG = logging.getLogger("torchstone")

_DISPLAY_SECONDS = 0.1
"""Least time between two records of the loss, unless `log_every` asks for more."""


def look(session: Session) -> dict[str, list[tuple[float, float]]]:
    """Waits for the device and brings the losses since the last look over.

    Raises:
        TrainingError: one of them is NaN or infinite.
    """
    state = session.state
    collected = state.means.collect()
    for name, values in collected.items():
        if not name.endswith("loss"):
            continue
        for place, (value, _) in enumerate(values):
            if not math.isfinite(value):
                session.sound = False
                step = state.step - (len(values) - 1 - place)
                raise diverged(name, value, step, state, session.saver)
    return collected


def log_step(session: Session, lr: float) -> None:
    """Writes the mean loss since the last record, with the gradients' norm of this step."""
    collected = look(session)
    state, now = session.state, time.monotonic()
    (then, samples), session.last_log = session.last_log, (now, session.epoch_samples)
    record: dict[str, Any] = {"epoch": state.epoch + 1, "step": state.step}
    for name, values in collected.items():
        record[name] = sum(v * w for v, w in values) / sum(w for _, w in values)
    record["lr"] = lr
    if state.gradient_norm is not None:
        record["gradient_norm"] = float(state.gradient_norm)
    if session.epoch_samples > samples:
        record["samples_per_second"] = (session.epoch_samples - samples) / max(now - then, 1e-9)
    write(session, "step", record)
    for callback in session.callbacks:
        callback.on_log(session.context, record)
    session.next_log = time.monotonic() + _DISPLAY_SECONDS


def epoch_record(session: Session, values: dict[str, float]) -> dict[str, Any]:
    """The record of the history for the epoch that was trained on; `values` are of its validation."""
    session.tick()
    state = session.state
    return {
        "epoch": state.epoch + 1,
        "step": state.step,
        **{f"train_{name}": value for name, value in state.means.means().items()},
        **{f"val_{name}": value for name, value in values.items()},
        "lr": state.lr,
        "seconds": state.seconds,
        "samples_per_second": session.epoch_samples / max(session.epoch_seconds, 1e-9),
    }


def write(session: Session, event: str, record: dict[str, Any]) -> None:
    """Appends a record to the log; a log that cannot be written is reported once and costs only records."""
    if session.log is None:
        return
    try:
        session.log.append({"event": event, **record})
    except RunError as error:
        if not session.log_failed:
            _LOG.warning("%s\nTraining goes on without these records.", error.message)
        session.log_failed = True
