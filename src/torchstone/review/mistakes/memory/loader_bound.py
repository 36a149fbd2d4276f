"""A model waits for its data a large part of the time.

## What it does
Measures how long a training loop waits for each batch of its `DataLoader`, and reports a pass in which that
is two fifths of the time or more, and a second at least. The first batch, which starts the workers, is left
out.

## Why is this bad?
While the loop waits, the model learns nothing; a faster device changes nothing.

## References
- [Performance tuning guide](https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html)
"""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector
from torchstone.review.epochs import MOST_WAITS
from torchstone.review.mistake import Example

if TYPE_CHECKING:
    from torchstone.review.stream import Event

CODE = "TS703"
NAME = "loader-bound"
SEVERITY: Severity = "advice"
ONLY_RUN = True

BAD = (
    Example(
        """
        import time

        import torch
        from torch import nn
        from torch.utils.data import DataLoader, Dataset


        class Slow(Dataset):
            def __len__(self):
                return 400

            def __getitem__(self, index):
                time.sleep(0.004)
                return torch.randn(4), torch.randn(1)


        loader = DataLoader(Slow(), batch_size=8)  # TS703
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(torch.randn(400, 4), torch.randn(400, 1)), batch_size=8)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    """,
)

_SHARE = 0.4
_SECONDS = 1.0
"""Less of waiting is no matter."""
_EACH = 0.01
"""The middle one of the waits, in seconds: many short ones are what any loop has."""
_BATCHES = 20


class Watch(Detector):
    """Adds up the waits of each pass that a model learns from."""

    def on_epoch_ended(self, event: Event) -> None:
        """Judges the pass."""
        waits = event.epoch.waits
        if not _BATCHES <= len(waits) < MOST_WAITS or not event.epoch.trains:
            return
        waited, whole = sum(waits), time.perf_counter() - event.epoch.given
        middle = statistics.median(waits)
        if waited < max(_SECONDS, _SHARE * whole) or middle < _EACH:
            return
        self.found(
            f"{waited / whole:.0%} of the time of an epoch goes by in waiting for batches, "
            f"{1000 * middle:.0f} ms for each",
            why="while the loop waits the model learns nothing",
            place=event.epoch.shown,
            fix=_advice(event.subject),
            cause=event.epoch.shown,
            waited=round(waited, 2),
            whole=round(whole, 2),
            batches=len(waits) + 1,
            workers=event.subject.num_workers,
        )


def _advice(loader: Any) -> str:
    allowed = getattr(os, "sched_getaffinity", None)  # of a machine that is shared this process has a part
    cores = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    if loader.num_workers == 0:
        return (
            f"Let other processes prepare the batches: `num_workers={max(1, min(cores - 1, 8))}` "
            f"({cores} cores are there for it), with `persistent_workers=True`."
        )
    if loader.num_workers < cores - 1:
        return f"Raise `num_workers` from {loader.num_workers}: {cores} cores are there for it."
    return "Do less for each sample: decode or resize ahead of training, or keep the data in a faster format."
