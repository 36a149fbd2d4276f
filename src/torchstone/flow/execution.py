"""One training in its directory: built-in callbacks, log, status, final weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from torchstone.data.batches import Batches
from torchstone.errors import ConfigError, Interrupted, RunError, TorchstoneError
from torchstone.runs import manifest
from torchstone.runs.checkpoint import Checkpoint
from torchstone.runs.directory import RunDirectory
from torchstone.runs.metrics_log import MetricsLog
from torchstone.runs.tensors import write_tensors
from torchstone.training import loop
from torchstone.training.callbacks import Callback
from torchstone.training.callbacks.progress import Progress
from torchstone.training.callbacks.tensorboard import TensorBoard
from torchstone.training.objective import Objective
from torchstone.training.saving import LastCheckpointError
from torchstone.training.settings import Keep, Settings
from torchstone.training.state import TrainState
from torchstone.training.validation import Metrics

_LOG = logging.getLogger("torchstone")


@dataclass
class Execution:
    """All that one training needs.

    Args:
        state: what is trained.
        train, val: the batches.
        objective: the loss or the user's step.
        settings: the numbers of the loop.
        metrics: validation metrics from all outputs and targets.
        directions: for each metric whether higher is better.
        callbacks: the user's.
        directory: the run directory; None keeps nothing.
        hyper_parameters: shown by TensorBoard.
        quiet: show no progress.
    """

    state: TrainState
    train: Batches
    val: Batches | None
    objective: Objective
    settings: Settings
    metrics: Metrics | None = None
    directions: Mapping[str, bool] | None = None
    callbacks: Sequence[Callback] = ()
    directory: RunDirectory | None = None
    hyper_parameters: Mapping[str, Any] | None = None
    quiet: bool = False

    def run(self, saved: Checkpoint | None = None) -> list[dict[str, Any]]:
        """Trains to the end and keeps status, log and final weights.

        Args:
            saved: the checkpoint to go on from.

        Returns:
            The history, one record per epoch.
        """
        log = None if self.directory is None else MetricsLog(self.directory.metrics_path)
        try:
            if saved is not None:
                for note in saved.notes:
                    _LOG.warning("%s", note)
                self.state.load(saved)
                if log is not None:
                    log.truncate(saved.step)
                self._renew_time()
            elif log is not None and log.path.exists():  # of a run that was ended before its first checkpoint
                log.truncate(0)
            self._note("running", result=None)
            with _compiling(self.settings.compile):
                history = loop.train(
                    self.state,
                    self.train,
                    self.val,
                    self.objective,
                    self.settings,
                    metrics=self.metrics,
                    directions=self.directions,
                    callbacks=self._all_callbacks(),
                    directory=self.directory,
                    log=log,
                )
        except BaseException as error:
            is_trained = isinstance(error, LastCheckpointError) and self._keep_weights_after(error)
            try:
                self._note(_status(error), error=_words(error), **(self._outcome() if is_trained else {}))
            except RunError as unwritable:  # a full disk must not hide why the training ended
                _LOG.warning("%s", unwritable.message)
            raise
        finally:
            if log is not None:
                log.close()
        if self.directory is not None:
            write_tensors(self.directory.weights_path, self.state.module.state_dict())
        self._note("running", error=None, **self._outcome())
        return history

    def finish(self) -> None:
        """Writes that the run is complete: measured and reported too."""
        self._note("finished")

    @property
    def kept(self) -> Keep:
        """Which weights the module has: those of the best epoch, as validation has it, or the last ones."""
        return "best" if self.settings.keep == "best" and self.state.best.epoch else "last"

    def best(self) -> dict[str, Any]:
        """The record of the epoch whose weights the module has."""
        history = self.state.history
        chosen = self.state.best.epoch if self.kept == "best" else 0
        return dict(history[chosen - 1]) if history else {}

    def _renew_time(self) -> None:
        """Who goes on with a run that its time limit ended wants it to train as long again."""
        limit = self.settings.max_time
        if limit is not None and self.state.seconds >= limit:
            self.settings = replace(self.settings, max_time=self.state.seconds + limit)

    def _outcome(self) -> dict[str, Any]:
        """What the manifest says of the final weights, once they are on the disk."""
        return {"result": self.best(), "kept": self.kept}

    def _keep_weights_after(self, error: LastCheckpointError) -> bool:
        """Writes the final weights where the larger checkpoint found no room; says it in the error if so."""
        if self.directory is None:
            return False
        try:
            write_tensors(self.directory.weights_path, self.state.module.state_dict())
        except RunError:  # no room for these either; the error's own hint says what there is left to do
            return False
        error.hint = (
            f"The trained weights are in {self.directory.weights_path}. Make room, and let the run be "
            f"measured with: {self.directory.resuming()}"
        )
        return True

    def _all_callbacks(self) -> list[Callback]:
        built_in: list[Callback] = [] if self.quiet else [Progress()]
        if self.directory is not None:
            built_in.append(TensorBoard(self.directory.path, hyper_parameters=self.hyper_parameters))
        return [*built_in, *self.callbacks]

    def _note(self, status: manifest.Status, **entries: Any) -> None:
        """Writes into the manifest how the run stands."""
        if self.directory is None:
            return
        epochs, seconds = len(self.state.history), self.state.seconds
        manifest.update_status(self.directory, status, epochs=epochs, seconds=seconds, **entries)


@contextmanager
def _compiling(compiles: bool) -> Iterator[None]:
    """Tells a module that torch cannot compile from one that fails.

    Raises:
        ConfigError: the compiler failed; with its own words.
    """
    try:
        yield
    except RuntimeError as error:
        if not compiles or not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        first = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"compile: torch could not compile the module: {first}",
            hint="Train without it, or see that a C++ compiler such as g++ is installed.",
        ) from error


def _status(error: BaseException) -> manifest.Status:
    return "stopped" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"


def _words(error: BaseException) -> str:
    return error.message if isinstance(error, TorchstoneError) else f"{type(error).__name__}: {error}"
