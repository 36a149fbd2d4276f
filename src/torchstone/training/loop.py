"""The training loop, read from top to bottom: `train` → `run_epoch` → `train_step` → `Objective.compute`.

The host waits for the device only where a comment says so; everything else is queued.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from torchstone.data.batches import Batches
from torchstone.errors import TrainingError
from torchstone.runs.directory import RunDirectory
from torchstone.runs.metrics_log import MetricsLog
from torchstone.training.callbacks import Callback
from torchstone.training.closing import closed
from torchstone.training.endings import nothing_counts
from torchstone.training.monitor import monitored
from torchstone.training.objective import Objective, count_samples
from torchstone.training.randomness import deterministic_operations, own_randomness
from torchstone.training.records import epoch_record, log_step, look, write
from torchstone.training.session import Session
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState
from torchstone.training.step import train_step
from torchstone.training.validation import Metrics, validate

_COLLECT_AT = 512
"""Losses that wait on the device before they are brought over."""


def train(
    state: TrainState,
    train: Batches,
    val: Batches | None,
    objective: Objective,
    settings: Settings,
    *,
    metrics: Metrics | None = None,
    directions: Mapping[str, bool] | None = None,
    callbacks: Sequence[Callback] = (),
    directory: RunDirectory | None = None,
    log: MetricsLog | None = None,
) -> list[dict[str, Any]]:
    """Trains from where `state` is to the end.

    Args:
        state: what is trained, and where it is; `state.load` goes to a checkpoint first.
        train: the training batches.
        val: the validation batches; None trains without validation.
        objective: the loss, or a step of the user's own.
        settings: the numbers.
        metrics: from all validation outputs and targets on the CPU to numbers by key.
        directions: for each of those keys whether higher is better.
        callbacks: what the run can do without.
        directory: where checkpoints go; None keeps nothing.
        log: where the records go, events `step` and `epoch`.

    Returns:
        The history, one record per epoch: epoch (from 1), step, train_loss, val_loss, val_<metric>, lr,
        seconds (of training, from the beginning), samples_per_second. The module ends with the weights that
        `settings.keep` asks for, in the modes in which it was given.

    Raises:
        ConfigError: the monitored metric is unknown; before the first step.
        TrainingError: the loss became NaN or infinite, memory ran out, or the data gave nothing.
        Interrupted: a signal came; a checkpoint is saved, `history` is what was finished.
        RunError: the last checkpoint could not be written.
    """
    session = Session.create(
        state,
        train,
        val,
        objective,
        settings,
        metrics=metrics,
        directions=directions,
        callbacks=callbacks,
        directory=directory,
        log=log,
    )
    with (
        session.signals,
        deterministic_operations(settings.deterministic),
        own_randomness(settings.seed, state.random, state.device),
        closed(session),
    ):
        for callback in callbacks:
            callback.on_start(session.context)
        if session.saver.borders_only and state.step == 0:
            session.saver.save(state)
        while state.epoch < settings.epochs and not session.reason_to_stop():
            if session.asked_to_stop():
                raise session.stopped()

            # Train on all batches that are left of this epoch, then measure what would be kept.
            run_epoch(session)
            record = epoch_record(session, measured(session))

            # Remember the best epoch, by a copy, and go on to the next.
            finish_epoch(session, record)

            # Tell, and save when it is time.
            write(session, "epoch", record)
            for callback in callbacks:
                callback.on_epoch_end(session.context, record)
            if session.saver.due_at_border(time.monotonic()):
                session.save()
        if state.epoch < settings.epochs:
            session.context.stop_reason = session.reason_to_stop()
        session.tick()
        session.saver.save_last(state)
    return state.history


def run_epoch(session: Session) -> None:
    """Trains on what is left of the epoch, or until the time is up.

    Raises:
        TrainingError: the data gave no batch, or a loss is not a finite number.
        Interrupted: a signal came.
        DataError: no target counted.
    """
    state = session.state
    session.modes.train()
    run_steps(session)
    if state.position == 0:
        raise TrainingError(
            "The training data gave no batch.",
            hint="Check that it has samples, and that drop_last does not drop all.",
        )
    if session.asked_to_stop():
        raise session.stopped()
    if session.objective.step is None and not state.means.weights and not session.reason_to_stop():
        raise nothing_counts("training")


def run_steps(session: Session) -> None:
    """Trains, logs and saves, step by step, until the batches end, a signal comes or the time is up."""
    state, settings, saver, signals = session.state, session.settings, session.saver, session.signals
    average, schedules = state.average, list(state.schedules.values())
    on_step = [callback for callback in session.callbacks if type(callback).on_step is not Callback.on_step]
    pace = settings.log_every or max(1, (session.context.steps_per_epoch or 1000) // 20)
    deadline = session.started + settings.max_time if settings.max_time is not None else math.inf
    session.epoch_started, session.epoch_samples = time.monotonic(), 0

    for group in _groups(session.train.epoch(state.epoch, state.position), settings.accumulate):
        now = time.monotonic()
        logs = (state.step + 1) % pace == 0 and (settings.log_every is not None or now >= session.next_log)
        train_step(state, group, session.objective, session.step_context, clip=settings.clip, measure=logs)
        samples = sum(map(count_samples, group))
        state.step += 1
        state.position += samples
        session.epoch_samples += samples
        lr = state.lr if logs else 0.0
        for schedule in schedules:
            schedule.after_step()
        if average is not None:
            average.after_step(state.module)
        for callback in on_step:
            callback.on_step(session.context)

        # The host waits for the device here, at the display's pace, and in saving; nowhere else.
        if logs:
            log_step(session, lr)
        elif len(state.means.pending) >= _COLLECT_AT:
            look(session)
        if signals.requested is not None or now >= deadline:
            break
        if saver.due(now):
            look(session)
            session.save()
    session.epoch_seconds = time.monotonic() - session.epoch_started
    look(session)


def measured(session: Session) -> dict[str, float]:
    """The validation of what would be kept, the average where there is one; empty without validation.

    Raises:
        Interrupted: a signal came; it goes on from before the validation.
    """
    state = session.state
    if state.average is not None:
        state.average.after_epoch(state.module, state.epoch)
    if session.val is None:
        return {}
    values = validate(
        state,
        session.val,
        session.train,
        session.objective,
        session.step_context,
        session.modes,
        session.metrics,
        session.asked_to_stop,
    )
    if values is None:
        raise session.stopped()
    return values


def finish_epoch(session: Session, record: dict[str, Any]) -> None:
    """Keeps the weights of the epoch if it is the best so far, moves the schedules and goes to the next."""
    state, settings, context = session.state, session.settings, session.context
    value = monitored(record, context.monitor, settings)
    if value is not None and state.best.update(
        value, higher_is_better=context.higher_is_better, min_delta=settings.min_delta
    ):
        state.best.keep(state.evaluated().state_dict(), record["epoch"], state.step)
    for schedule in state.schedules.values():
        schedule.after_epoch(value if value is not None else record.get("train_loss"))
    state.history.append(record)
    state.epoch, state.position = state.epoch + 1, 0
    state.means.clear()


def _groups(batches: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Batches in lists of `size`; the last one may be shorter."""
    if size == 1:
        return ([batch] for batch in batches)
    iterator = iter(batches)
    return iter(lambda: list(itertools.islice(iterator, size)), [])
