"""The workers of a loader are started anew for each short epoch.

## What it does
Measures how long the first batch of each epoch is waited for, of a `DataLoader` with workers, and reports
those where that is a fifth of the epoch or more, three times one after the other, and a second in all. What
later batches are waited for is the matter of [TS703](TS703.md), which says how many workers there should be.

## Why is this bad?
Without `persistent_workers=True` all workers end with the epoch. The next one starts processes, copies the
data set to each and fills their queues, while the model waits.

## References
- [torch.utils.data.DataLoader](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader)
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from torchstone.finding import Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity

if TYPE_CHECKING:
    from typing import Any

    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS711"
NAME = "loader-workers"
SEVERITY: Severity = "advice"
ONLY_RUN = True

BAD = (
    Example(
        """
        import time

        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset


        def start(worker):
            time.sleep(0.3)  # such as opening a file


        def main():
            data = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))
            loader = DataLoader(data, batch_size=8, num_workers=2, worker_init_fn=start)  # TS711
            model = nn.Linear(4, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(5):
                for x, y in loader:
                    optimizer.zero_grad()
                    nn.functional.mse_loss(model(x), y).backward()
                    optimizer.step()


        if __name__ == "__main__":
            main()
        """
    ),
)
GOOD = (
    """
    import time

    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset


    def start(worker):
        time.sleep(0.3)  # such as opening a file


    def main():
        data = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))
        loader = DataLoader(
            data, batch_size=8, num_workers=2, worker_init_fn=start, persistent_workers=True
        )
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(5):
            for x, y in loader:
                optimizer.zero_grad()
                nn.functional.mse_loss(model(x), y).backward()
                optimizer.step()


    if __name__ == "__main__":
        main()
    """,
)

_EPOCHS = 3
_SHARE = 0.2
_SECONDS = 1.0
"""Less of waiting in all epochs is no matter."""

_ABOVE = 5
"""The first batch takes so many times what others take, or it is not the start that takes long."""


class _Starts:
    """The epochs of one loader."""

    def __init__(self) -> None:
        self.began = 0.0
        self.first = 0.0
        self.waits: list[float] = []
        self.slow: list[tuple[float, float]] = []
        """Of epochs that began slowly, one after the other: the wait for the first batch, and the whole."""


class _Waits:
    """Notes what batches are waited for, once there is a loader with workers."""

    def __init__(self) -> None:
        self.starts: ByIdentity[_Starts] = ByIdentity()

    def of(self, loader: Any) -> _Starts | None:
        """The epochs of a loader; it may be gone before its iterator."""
        return None if loader is None else self.starts.get(loader)

    def on_batch(self, event: Event) -> None:
        """The first one, or a later one."""
        starts = self.of(event.subject)
        if starts is not None and event.number == 0:
            starts.first = time.perf_counter() - starts.began
        elif starts is not None and len(starts.waits) < 1000:
            starts.waits.append(event.waited)


class Watch(Detector):
    """Takes the time of the first batch of each epoch."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._waits: _Waits | None = None

    def on_epoch_began(self, event: Event) -> None:
        """Workers are being started."""
        loader = event.subject
        if loader.num_workers and not loader.persistent_workers:
            if self._waits is None:
                self._waits = _Waits()
                self.stream.subscribe(self._waits)
            starts = self._waits.starts.setdefault(loader, _Starts())
            starts.began, starts.waits = time.perf_counter() - event.took, []

    def on_epoch_ended(self, event: Event) -> None:
        """Judges the epoch."""
        starts = None if self._waits is None else self._waits.of(event.subject)
        if starts is None or not starts.waits or not event.epoch.trains:
            return
        whole = time.perf_counter() - starts.began
        slow = starts.first >= _SHARE * whole and starts.first >= _ABOVE * statistics.median(starts.waits)
        starts.slow = [*starts.slow, (starts.first, whole)] if slow else []
        if len(starts.slow) >= _EPOCHS and sum(first for first, _ in starts.slow) >= _SECONDS:
            self._report(event, starts)

    def _report(self, event: Event, starts: _Starts) -> None:
        first, whole = (statistics.median(one) for one in zip(*starts.slow, strict=True))
        self.found(
            f"{first / whole:.0%} of the time of an epoch passes until its first batch comes, {first:.2g} s, "
            f"as the {event.subject.num_workers} workers are started each time",
            why="the model learns nothing meanwhile",
            place=event.epoch.shown,
            fix="Let them stay: `persistent_workers=True`.",
            first=round(first, 3),
            epoch=round(whole, 3),
            epochs=len(starts.slow),
            workers=event.subject.num_workers,
        )
