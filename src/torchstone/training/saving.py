"""When a checkpoint is made, and what happens when it cannot be."""

from __future__ import annotations

import logging
import time

from torchstone.errors import RunError
from torchstone.runs import checkpoint
from torchstone.runs.directory import RunDirectory
from torchstone.training.state import TrainState

_LOG = logging.getLogger("torchstone")


class LastCheckpointError(RunError):
    """Training is complete, but its last checkpoint could not be written; the module is as it should be."""


class Saver:
    """Makes checkpoints of a run, not more often than asked for.

    A checkpoint that cannot be written is reported once and tried again when the next one is due: training
    goes on, as what it computes is worth more than the disk's trouble. The last one must succeed.

    Args:
        directory: the run; None: nothing is ever written.
        every: least seconds between two checkpoints.
        borders_only: the data can be continued only where an epoch begins; then there is a checkpoint at
            each.
    """

    def __init__(self, directory: RunDirectory | None, every: float, borders_only: bool) -> None:
        self.directory = directory
        self.every = every
        self.borders_only = borders_only
        self.failure: RunError | None = None
        self.saved_step: int | None = None
        self._last = time.monotonic()

    def due(self, now: float) -> bool:
        """Whether it is time for a checkpoint between two steps."""
        return self.directory is not None and not self.borders_only and now - self._last >= self.every

    def due_at_border(self, now: float) -> bool:
        """Whether it is time for a checkpoint between two epochs."""
        return self.directory is not None and (self.borders_only or now - self._last >= self.every)

    def save(self, state: TrainState) -> bool:
        """Saves the state; False when there is no directory, no way to continue from here, or no success."""
        if self.directory is None or (self.borders_only and state.position):
            return False
        self._last = time.monotonic()
        try:
            checkpoint.save(self.directory, state.step, state.tensors(), state.state())
        except (RunError, OSError) as error:
            failure = error if isinstance(error, RunError) else RunError(f"The checkpoint failed: {error}")
            if self.failure is None:
                _LOG.warning("%s\nTraining goes on and tries again later.", failure.message)
            self.failure = failure
            return False
        self.failure, self.saved_step = None, state.step
        return True

    def save_last(self, state: TrainState) -> None:
        """Saves the state at the end.

        Raises:
            LastCheckpointError: it cannot be written; the module and the history are intact.
        """
        if self.directory is not None and not self.save(state) and self.failure is not None:
            raise LastCheckpointError(
                f"Training is done, but its last checkpoint could not be written: {self.failure.message}",
                hint=f"Make room, and go on from {self._last_place()} with: {self.directory.resuming()}",
            ) from self.failure

    def _last_place(self) -> str:
        return "the beginning" if self.saved_step is None else f"step {self.saved_step}"
