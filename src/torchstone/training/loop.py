"""The training loop, read from top to bottom: `train` → `run_epoch` → `train_step` → `Objective.compute`.

The host waits for the device only where a comment says so; everything else is queued.
"""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torchstone.data.batches import Batches
from torchstone.errors import Interrupted, RunError, TorchstoneError, TrainingError
from torchstone.runs.directory import RunDirectory
from torchstone.runs.metrics_log import MetricsLog
from torchstone.training.callbacks import Callback, TrainContext
from torchstone.training.context import StepContext
from torchstone.training.endings import diverged, explained, interrupted, nothing_counts
from torchstone.training.modes import Modes
from torchstone.training.monitor import choose_monitor, monitored
from torchstone.training.objective import Objective, count_samples
from torchstone.training.randomness import deterministic_operations, own_randomness
from torchstone.training.saving import Saver
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState
from torchstone.training.step import train_step
from torchstone.training.stop_signals import StopSignals
from torchstone.training.validation import Metrics, validate

_LOG = logging.getLogger("torchstone")

_COLLECT_AT = 512
"""Losses that wait on the device before they are brought over."""

_DISPLAY_SECONDS = 0.1
"""Least time between two records of the loss, unless `log_every` asks for more."""


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
    monitor, higher = choose_monitor(settings, directions or {}, val is not None, objective)
    objective.prepare(state.module, state.device)
    run = _Run(
        state,
        train.to(state.device),
        None if val is None else val.to(state.device),
        objective,
        settings,
        callbacks,
        log,
    )
    run.saver = Saver(directory, settings.save_every, borders_only=train.resumable == "epoch")
    context = run.context = TrainContext(
        module=state.module,
        settings=settings,
        state=state,
        epochs=settings.epochs,
        steps_per_epoch=None if train.steps is None else math.ceil(train.steps / settings.accumulate),
        samples=train.samples,
        monitor=monitor,
        higher_is_better=higher,
        run_path=directory.path if directory is not None else None,
    )
    modes = Modes(state.module)
    error: BaseException | None = None
    with (
        run.signals,
        deterministic_operations(settings.deterministic),
        own_randomness(settings.seed, state.random, state.device),
    ):
        try:
            for callback in callbacks:
                callback.on_start(context)
            if run.saver.borders_only and state.step == 0:
                run.saver.save(state)
            while state.epoch < settings.epochs and not reason_to_stop(run):
                if run.signals.requested:
                    raise stopped(run)

                # Train on all batches that are left of this epoch.
                modes.train()
                run_epoch(run)
                if run.signals.requested:
                    raise stopped(run)
                if objective.step is None and not state.means.weights and not reason_to_stop(run):
                    raise nothing_counts("training")

                # Validate what would be kept: the average where there is one.
                if state.average is not None:
                    state.average.after_epoch(state.module, state.epoch)
                values: dict[str, float] | None = {}
                if run.val is not None:
                    values = validate(
                        state,
                        run.val,
                        run.train,
                        objective,
                        run.step_context,
                        modes,
                        metrics,
                        run.asked_to_stop,
                    )
                if values is None:
                    raise stopped(run)
                record = epoch_record(run, values)

                # Remember the best epoch, by a copy.
                value = monitored(record, monitor, settings)
                if value is not None and state.best.update(
                    value, higher_is_better=higher, min_delta=settings.min_delta
                ):
                    state.best.keep(state.evaluated().state_dict(), record["epoch"], state.step)

                # On to the next epoch.
                for schedule in state.schedules.values():
                    schedule.after_epoch(value if value is not None else record.get("train_loss"))
                state.history.append(record)
                state.epoch, state.position = state.epoch + 1, 0
                state.means.clear()

                # Tell, and save when it is time.
                write(run, "epoch", record)
                for callback in callbacks:
                    callback.on_epoch_end(context, record)
                if run.saver.due_at_border(time.monotonic()):
                    save(run)
            if state.epoch < settings.epochs:
                context.stop_reason = reason_to_stop(run)
            run.tick()
            run.saver.save_last(state)
        except (Interrupted, KeyboardInterrupt) as interruption:
            error = interruption
            raise
        except Exception as failure:
            save_what_is_sound(run)
            error = explained(failure, state)
            if error is failure:
                raise
            raise error from failure
        finally:
            # The module is the user's again: kept weights, modes as found, no gradients.
            leave_kept_weights(state, settings)
            modes.restore()
            state.module.zero_grad()
            end_callbacks(callbacks, context, error)
    return state.history


def run_epoch(run: _Run) -> None:
    """Trains on what is left of the epoch, or until a signal comes or the time is up."""
    state, settings, saver, signals = run.state, run.settings, run.saver, run.signals
    average, schedules = state.average, list(state.schedules.values())
    on_step = [callback for callback in run.callbacks if type(callback).on_step is not Callback.on_step]
    pace = settings.log_every or max(1, (run.context.steps_per_epoch or 1000) // 20)
    deadline = run.started + settings.max_time if settings.max_time is not None else math.inf
    run.epoch_started, run.epoch_samples = time.monotonic(), 0

    for group in _groups(run.train.epoch(state.epoch, state.position), settings.accumulate):
        now = time.monotonic()
        logs = (state.step + 1) % pace == 0 and (settings.log_every is not None or now >= run.next_log)
        train_step(state, group, run.objective, run.step_context, clip=settings.clip, measure=logs)
        samples = sum(map(count_samples, group))
        state.step += 1
        state.position += samples
        run.epoch_samples += samples
        lr = state.lr if logs else 0.0
        for schedule in schedules:
            schedule.after_step()
        if average is not None:
            average.after_step(state.module)
        for callback in on_step:
            callback.on_step(run.context)

        # The host waits for the device here, at the display's pace, and in saving; nowhere else.
        if logs:
            log_step(run, lr)
        elif len(state.means.pending) >= _COLLECT_AT:
            look(run)
        if signals.requested is not None or now >= deadline:
            break
        if saver.due(now):
            look(run)
            save(run)
    run.epoch_seconds = time.monotonic() - run.epoch_started
    look(run)
    if state.position == 0:
        raise TrainingError(
            "The training data gave no batch.",
            hint="Check that it has samples, and that drop_last does not drop all.",
        )


@dataclass
class _Run:
    """What the functions of this page share."""

    state: TrainState
    train: Batches
    val: Batches | None
    objective: Objective
    settings: Settings
    callbacks: Sequence[Callback]
    log: MetricsLog | None
    signals: StopSignals = field(default_factory=StopSignals)
    next_log: float = 0.0
    sound: bool = True
    log_failed: bool = False
    epoch_started: float = 0.0
    epoch_seconds: float = 0.0
    epoch_samples: int = 0

    def __post_init__(self) -> None:
        self.started = time.monotonic() - self.state.seconds  # as if it had never been stopped
        self.last_log = (time.monotonic(), 0)
        self.step_context = StepContext(self.state, self.settings.clip)
        self.saver: Saver
        self.context: TrainContext

    def tick(self) -> None:
        """Brings the state's clock up to date."""
        self.state.seconds = time.monotonic() - self.started

    def asked_to_stop(self) -> bool:
        """Whether a signal came."""
        return self.signals.requested is not None


def _groups(batches: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Batches in lists of `size`; the last one may be shorter."""
    if size == 1:
        return ([batch] for batch in batches)
    iterator = iter(batches)
    return iter(lambda: list(itertools.islice(iterator, size)), [])


def look(run: _Run) -> dict[str, list[tuple[float, float]]]:
    """Waits for the device and brings the losses since the last look over.

    Raises:
        TrainingError: one of them is NaN or infinite.
    """
    collected = run.state.means.collect()
    for name, values in collected.items():
        if not name.endswith("loss"):
            continue
        for place, (value, _) in enumerate(values):
            if not math.isfinite(value):
                run.sound = False
                step = run.state.step - (len(values) - 1 - place)
                raise diverged(name, value, step, run.state, run.saver)
    return collected


def log_step(run: _Run, lr: float) -> None:
    """Writes the mean loss since the last record, with the gradients' norm of this step."""
    collected = look(run)
    state, now = run.state, time.monotonic()
    (then, samples), run.last_log = run.last_log, (now, run.epoch_samples)
    record: dict[str, Any] = {"epoch": state.epoch + 1, "step": state.step}
    for name, values in collected.items():
        record[name] = sum(v * w for v, w in values) / sum(w for _, w in values)
    record["lr"] = lr
    if state.gradient_norm is not None:
        record["gradient_norm"] = float(state.gradient_norm)
    if run.epoch_samples > samples:
        record["samples_per_second"] = (run.epoch_samples - samples) / max(now - then, 1e-9)
    write(run, "step", record)
    for callback in run.callbacks:
        callback.on_log(run.context, record)
    run.next_log = time.monotonic() + _DISPLAY_SECONDS


def write(run: _Run, event: str, record: dict[str, Any]) -> None:
    """Appends a record to the log; a log that cannot be written is reported once and costs only records."""
    if run.log is None:
        return
    try:
        run.log.append({"event": event, **record})
    except RunError as error:
        if not run.log_failed:
            _LOG.warning("%s\nTraining goes on without these records.", error.message)
        run.log_failed = True


def epoch_record(run: _Run, values: dict[str, float]) -> dict[str, Any]:
    """The epoch's record of the history."""
    run.tick()
    state = run.state
    training = {f"train_{name}": value for name, value in state.means.means().items()}
    return {
        "epoch": state.epoch + 1,
        "step": state.step,
        **training,
        **{f"val_{name}": value for name, value in values.items()},
        "lr": state.lr,
        "seconds": state.seconds,
        "samples_per_second": run.epoch_samples / max(run.epoch_seconds, 1e-9),
    }


def reason_to_stop(run: _Run) -> str | None:
    """Why there is to be no further epoch; None when there is."""
    state, settings = run.state, run.settings
    if settings.patience and state.best.waited >= settings.patience:
        return f"no improvement for {settings.patience} epochs"
    if settings.max_time is not None and state.seconds >= settings.max_time:
        return f"{settings.max_time:g} seconds are over"
    return run.context.stop_reason


def save(run: _Run) -> None:
    """Saves a checkpoint of this moment; trouble is reported once and does not end the training."""
    run.tick()
    if run.saver.save(run.state) and run.log is not None:
        run.log.sync()


def stopped(run: _Run) -> Interrupted:
    """Saves, and gives what to raise after a signal."""
    save(run)
    return interrupted(run.signals.requested, run.state, run.saver)


def save_what_is_sound(run: _Run) -> None:
    """After an error: saves the state if it is one to go on from; the checkpoint before stays in any case."""
    if not run.sound or run.state.updating or run.state.step == run.saver.saved_step:
        return
    try:
        look(run)
    except (TorchstoneError, RuntimeError):  # the loss is not finite, or the device is lost
        return
    save(run)


def leave_kept_weights(state: TrainState, settings: Settings) -> None:
    """Puts the weights that are to be kept into the module."""
    if settings.keep == "best" and state.best.weights:
        state.module.load_state_dict(state.best.weights)
    elif state.evaluated() is not state.module:
        state.module.load_state_dict(state.evaluated().state_dict())


def end_callbacks(callbacks: Sequence[Callback], context: TrainContext, error: BaseException | None) -> None:
    """Calls every callback's end, then raises what one of them raised, unless there is an error already."""
    failed: Exception | None = None
    for callback in callbacks:
        try:
            callback.on_end(context, error)
        except Exception as failure:
            _LOG.warning("%s failed at the end: %s", type(callback).__name__, failure)
            failed = failed or failure
    if failed is not None and error is None:
        raise failed
