"""One training while it runs: what its steps share, and the moments at which it is saved or stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torchstone.data.batches import Batches
from torchstone.errors import Interrupted
from torchstone.runs.directory import RunDirectory
from torchstone.runs.metrics_log import MetricsLog
from torchstone.training.callbacks import Callback, TrainContext
from torchstone.training.context import StepContext
from torchstone.training.endings import interrupted
from torchstone.training.modes import Modes
from torchstone.training.monitor import choose_monitor
from torchstone.training.objective import Objective
from torchstone.training.saving import Saver
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState
from torchstone.training.stop_signals import StopSignals
from torchstone.training.validation import Metrics


@dataclass
class Session:
    """What the functions of the loop share.

    Args:
        state, train, val, objective, settings, metrics, callbacks, log: as in `loop.train`, the batches on
            the device.
        saver: makes the checkpoints.
        context: what callbacks see.
        modes: those in which the module was given.
        step_context: what a step of the user's own is given.
        signals: whether a signal came.
        sound: whether every loss so far was a finite number.
        next_log: the time before which no loss is logged.
        last_log: the time of the last record of the loss, and the samples of this epoch before it.
        log_failed: a record could not be written, which was said.
        epoch_started, epoch_seconds, epoch_samples: of the epoch, as far as this process trained it.
    """

    state: TrainState
    train: Batches
    val: Batches | None
    objective: Objective
    settings: Settings
    metrics: Metrics | None
    callbacks: Sequence[Callback]
    log: MetricsLog | None
    saver: Saver
    context: TrainContext
    modes: Modes
    step_context: StepContext
    signals: StopSignals = field(default_factory=StopSignals)
    sound: bool = True
    next_log: float = 0.0
    log_failed: bool = False
    epoch_started: float = 0.0
    epoch_seconds: float = 0.0
    epoch_samples: int = 0

    def __post_init__(self) -> None:
        self.started = time.monotonic() - self.state.seconds  # as if it had never been stopped
        self.last_log = (time.monotonic(), 0)

    @classmethod
    def create(
        cls,
        state: TrainState,
        train: Batches,
        val: Batches | None,
        objective: Objective,
        settings: Settings,
        *,
        metrics: Metrics | None,
        directions: Mapping[str, bool] | None,
        callbacks: Sequence[Callback],
        directory: RunDirectory | None,
        log: MetricsLog | None,
    ) -> Session:
        """A training that has not begun; the arguments are those of `loop.train`.

        Raises:
            ConfigError: the monitored metric is unknown.
        """
        monitor, higher = choose_monitor(settings, directions or {}, val is not None, objective)
        objective.prepare(state.module, state.device)
        context = TrainContext(
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
        return cls(
            state,
            train.to(state.device),
            None if val is None else val.to(state.device),
            objective,
            settings,
            metrics,
            callbacks,
            log,
            Saver(directory, settings.save_every, borders_only=train.resumable == "epoch"),
            context,
            Modes(state.module),
            StepContext(state, settings.clip),
        )

    def tick(self) -> None:
        """Brings the state's clock up to date."""
        self.state.seconds = time.monotonic() - self.started

    def save(self) -> None:
        """Saves a checkpoint of this moment; trouble is reported once and does not end the training."""
        self.tick()
        if self.saver.save(self.state) and self.log is not None:
            self.log.sync()

    def asked_to_stop(self) -> bool:
        """Whether a signal came."""
        return self.signals.requested is not None

    def stopped(self) -> Interrupted:
        """Saves, and gives what to raise after a signal."""
        self.save()
        return interrupted(self.signals.requested, self.state, self.saver)

    def reason_to_stop(self) -> str | None:
        """Why there is to be no further epoch; None when there is."""
        state, settings = self.state, self.settings
        if settings.patience and state.best.waited >= settings.patience:
            return f"no improvement for {settings.patience} epochs"
        if settings.max_time is not None and state.seconds >= settings.max_time:
            return f"{settings.max_time:g} seconds are over"
        return self.context.stop_reason
