"""Learning rate schedules that move.

`schedule`: subject the scheduler; `metric` (what `ReduceLROnPlateau.step` was given, else None).
`schedule_made`: subject a new scheduler; `optimizer`.
"""

from __future__ import annotations

import functools
from typing import Any

from torch.optim import lr_scheduler

from torchstone.review.places import unseen
from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `step` and `__init__` of the schedulers that define them."""
    kinds = [kind for kind in vars(lr_scheduler).values() if isinstance(kind, type)]
    schedulers = [kind for kind in kinds if issubclass(kind, lr_scheduler.LRScheduler)]
    state = {"depth": 0}
    for kind in schedulers:
        if "step" in vars(kind):
            stream.replace(kind, "step", _step(stream, vars(kind)["step"], state))
    made = vars(lr_scheduler.LRScheduler)["__init__"]

    @functools.wraps(made)
    def make(self: Any, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        state["depth"] += 1  # it makes a first step of its own
        try:
            made(self, optimizer, *args, **kwargs)
        finally:
            state["depth"] -= 1
        stream.emit("schedule_made", self, optimizer=optimizer)

    stream.replace(lr_scheduler.LRScheduler, "__init__", make)


def _step(stream: Stream, original: Any, state: dict[str, int]) -> Any:
    @functools.wraps(original)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        state["depth"] += 1
        try:
            result = original(self, *args, **kwargs)
        finally:
            state["depth"] -= 1
        if not state["depth"]:
            given = (*args, *kwargs.values())
            stream.emit("schedule", self, metric=given[0] if given else None)
        return result

    return unseen(step)
