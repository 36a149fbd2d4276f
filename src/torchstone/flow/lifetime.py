"""The life of a run's directory: begun whole or not at all, stopped so that it can go on, finished once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torchstone.errors import Interrupted, RunError, RunPathError, TorchstoneError
from torchstone.interruption import signal_of, termination_raises
from torchstone.runs import manifest
from torchstone.runs.directory import RunDirectory
from torchstone.runs.process import is_own_process

_LOG = logging.getLogger("torchstone")


def begin(
    path: str | Path | None, name_hint: str, force: bool, keep: Callable[[RunDirectory], None]
) -> RunDirectory:
    """A new run directory with what was asked in it; nothing stays behind where that cannot be written.

    Args:
        path: the folder; None for a default under `runs/`.
        name_hint: what the default name begins with.
        force: replace the run that is in the folder.
        keep: writes the request into the directory, the manifest last.

    Raises:
        RunPathError: the folder cannot be made or written, or holds something already.
    """
    directory = RunDirectory.create(path, name_hint, force)
    try:
        with directory.beginning():
            keep(directory)
    except BaseException as error:
        directory.discard()
        if isinstance(error, RunError):
            raise RunPathError(error.message, hint="Give a folder with room for it with --out DIR.") from None
        raise
    return directory


@contextmanager
def resumable(directory: RunDirectory | None) -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM end a run with `Interrupted`, which says how to go on.

    The loop has handlers of its own for its time, which stop between two steps; these are for what stands
    before and after it, and for a second signal. Whatever ends the run, its manifest says so.

    Args:
        directory: the run; None: nothing is kept, so that there is nothing to go on with.
    """
    if directory is None:
        yield
        return
    try:
        with termination_raises():
            yield
    except BaseException as error:
        _note_end(directory, error)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(
                f"Stopped by {signal_of(error).name} before the run was complete.",
                hint=f"Go on with: {directory.resuming()}",
            ) from None
        if not isinstance(error, TorchstoneError):
            error.add_note(f"What was done before is kept. Go on with: {directory.resuming()}")
        raise


def _note_end(directory: RunDirectory, error: BaseException) -> None:
    """Writes how the run ended, where this process is the one that runs it."""
    try:
        kept: dict[str, Any] = directory.read_object(directory.manifest_path)
        if kept.get("status") == "running" and is_own_process(kept.get("process")):
            manifest.update_status(directory, _status(error), error=_words(error))
    except RunError as unwritable:  # a full disk must not hide why the run ended
        _LOG.warning("%s", unwritable.message)


def _status(error: BaseException) -> manifest.Status:
    return "stopped" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"


def _words(error: BaseException) -> str:
    return error.message if isinstance(error, TorchstoneError) else f"{type(error).__name__}: {error}"
