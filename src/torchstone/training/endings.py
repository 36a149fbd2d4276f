"""How a run can end before its time, in the user's terms."""

from __future__ import annotations

import math

import torch

from torchstone.errors import DataError, Interrupted, TrainingError
from torchstone.training.saving import Saver
from torchstone.training.state import TrainState


def interrupted(signal: str | None, state: TrainState, saver: Saver) -> Interrupted:
    """After a signal; says where, what is kept, and how to go on."""
    where = f"in epoch {state.epoch + 1} after step {state.step}"
    message = f"Stopped by {signal} {where}."
    if saver.directory is None:
        hint = "Nothing was written, as there is no run directory; give out= to be able to resume."
    elif saver.saved_step is None:
        hint = f"No checkpoint could be written: {saver.failure.message if saver.failure else 'none was due'}"
    else:
        lost = "" if saver.saved_step == state.step else f" It goes on from step {saver.saved_step}."
        hint = f"Go on with: {saver.directory.resuming()}{lost}"
    return Interrupted(message, hint=hint, history=state.history)


def explained(failure: Exception, state: TrainState) -> Exception:
    """The error in the user's terms where there is more to say than torch does."""
    where = f"in epoch {state.epoch + 1} at step {state.step + 1}"
    if isinstance(failure, TrainingError):
        failure.history = state.history
    elif isinstance(failure, torch.OutOfMemoryError):
        return TrainingError(
            f"Memory of {state.device} ran out {where}.",
            hint="Halve batch_size and double accumulate: the result is the same. Or use precision=bfloat16.",
            history=state.history,
        )
    elif isinstance(failure, RuntimeError) and "deterministic" in str(failure):
        return TrainingError(
            f"An operation of the model or the loss has no deterministic version: {failure}",
            hint="Replace it, or train without deterministic.",
            history=state.history,
        )
    return failure


def nothing_counts(what: str) -> DataError:
    """When an epoch had no loss: every target was ignored, or there was none."""
    return DataError(
        f"No {what} sample counts: all targets are ignored by the loss or weigh 0, or there are none.",
        hint="Look at the targets, at the loss's ignore_index and at the sample weights.",
    )


def diverged(name: str, value: float, step: int, state: TrainState, saver: Saver) -> TrainingError:
    """When a loss is not a finite number."""
    what = "NaN" if math.isnan(value) else "infinite"
    bad = [key for key, p in state.module.named_parameters() if not bool(torch.isfinite(p).all())]
    weights = f"weights that are not finite: {', '.join(bad[:3])}" if bad else "all weights are finite"
    saved = saver.saved_step
    kept = "" if saved is None else f" The checkpoint of step {saved} is from before."
    return TrainingError(
        f"The {name} became {what} in epoch {state.epoch + 1} at step {step} ({weights}).{kept}",
        hint=f"Lower the learning rate (now {state.lr:g}), clip the gradients (clip=1.0), and look for "
        "NaN or very large values in the inputs and targets.",
        history=state.history,
    )
