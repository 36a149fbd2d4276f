"""However a training ends, the module is the user's again, and what is sound is saved."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from torchstone.errors import Interrupted, TorchstoneError
from torchstone.training.endings import explained
from torchstone.training.records import look
from torchstone.training.session import Session
from torchstone.training.settings import Keep, Settings
from torchstone.training.state import TrainState

_LOG = logging.getLogger("torchstone")


@contextmanager
def closed(session: Session) -> Iterator[None]:
    """Inside, the module is in training; afterwards it has kept weights, modes as found and no gradients.

    Raises:
        TrainingError: in place of torch's own error where there is more to say.
    """
    state = session.state
    error: BaseException | None = None
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as interruption:
        error = interruption
        raise
    except Exception as failure:
        _save_what_is_sound(session)
        error = explained(failure, state)
        if error is failure:
            raise
        raise error from failure
    finally:
        _leave_kept_weights(state, session.settings)
        session.modes.restore()
        state.module.zero_grad()
        _end_callbacks(session, error)


def kept_weights(
    files: Mapping[str, Mapping[str, Tensor]], *, keep: Keep, averaged: bool
) -> Mapping[str, Tensor]:
    """The weights that a training ends with: of the best epoch, the average, or the last.

    Args:
        files: the weights by the file of the checkpoint that they belong in, as `TrainState.weights` gives.
        keep: what was asked for.
        averaged: whether the average has begun.
    """
    if keep == "best" and files.get("best"):
        return files["best"]
    if averaged:
        inside = "module."
        average = files["average"].items()
        return {name.removeprefix(inside): value for name, value in average if name.startswith(inside)}
    return files["model"]


def _leave_kept_weights(state: TrainState, settings: Settings) -> None:
    files = state.weights()
    kept = kept_weights(files, keep=settings.keep, averaged=state.evaluated() is not state.module)
    if kept is not files["model"]:
        state.module.load_state_dict(kept)


def _save_what_is_sound(session: Session) -> None:
    """After an error: saves the state if it is one to go on from; the checkpoint before stays in any case."""
    state = session.state
    if not session.sound or state.updating or state.step == session.saver.saved_step:
        return
    try:
        look(session)
    except (TorchstoneError, RuntimeError):  # the loss is not finite, or the device is lost
        return
    session.save()


def _end_callbacks(session: Session, error: BaseException | None) -> None:
    """Calls every callback's end, then raises what one of them raised, unless there is an error already."""
    failed: Exception | None = None
    for callback in session.callbacks:
        try:
            callback.on_end(session.context, error)
        except Exception as failure:
            _LOG.warning("%s failed at the end: %s", type(callback).__name__, failure)
            failed = failed or failure
    if failed is not None and error is None:
        raise failed
