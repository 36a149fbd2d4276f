"""Callbacks: what a run can do without. What a run needs is written out in `loop.py`.

A callback is an object with any of the methods of `Callback`. It is called in the order of the list and
from the training thread; what it raises ends the training (nothing computed is lost).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from torchstone.training.settings import Settings
    from torchstone.training.state import TrainState


@dataclass
class TrainContext:
    """What a callback can see of a run.

    Args:
        module: the module in training; the user's own object.
        settings: the numbers of the loop.
        state: where the run is: `state.epoch` (finished epochs), `state.step` (optimizer steps done),
            `state.position` (samples of this epoch done), `state.best`, `state.seconds`.
        epochs: how many epochs there will be at most.
        steps_per_epoch: optimizer steps in an epoch; None when the data does not know.
        samples: samples in an epoch; None when the data does not know.
        monitor: the key of the history that decides which epoch is best; None when none does.
        higher_is_better: the direction of `monitor`.
        run_path: the run directory; None when nothing is written.
    """

    module: nn.Module
    settings: Settings
    state: TrainState
    epochs: int
    steps_per_epoch: int | None
    samples: int | None
    monitor: str | None = None
    higher_is_better: bool = False
    run_path: Path | None = None
    stop_reason: str | None = field(default=None, init=False)

    def stop(self, reason: str) -> None:
        """End the training after this epoch, as early stopping does; `reason` is one sentence."""
        self.stop_reason = reason


class Callback:
    """The moments of a run. Every method may be left out.

    `on_step` costs time at every optimizer step, so it is called only where a subclass defines it.
    """

    def on_start(self, context: TrainContext) -> None:
        """Before the first step, also of a resumed run (then `context.state.step` is above 0)."""

    def on_step(self, context: TrainContext) -> None:
        """After every optimizer step."""

    def on_log(self, context: TrainContext, record: dict[str, Any]) -> None:
        """At logging steps: `record` has epoch (from 1), step, loss (the mean since the last record), lr,
        gradient_norm (before clipping), samples_per_second.
        """

    def on_epoch_end(self, context: TrainContext, record: dict[str, Any]) -> None:
        """After validation: `record` is the epoch's record of the history."""

    def on_end(self, context: TrainContext, error: BaseException | None) -> None:
        """Once at the end, always: `error` is None when the training ended as planned."""


__all__ = ["Callback", "TrainContext"]
