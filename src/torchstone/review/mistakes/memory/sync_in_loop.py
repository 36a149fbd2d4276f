"""Each step waits for the device, as a value is read from it.

## What it does
Measures how long `.item()`, `.cpu()`, `.tolist()`, `float(tensor)`, `if tensor` and `print(tensor)` of the
program's own code wait for the device, and names the lines that do so in one step after the other and take a
fiftieth of the time or more. On the CPU there is nothing to wait for. What libraries read is passed over.

## Why is this bad?
The program runs ahead of the device and hands it one operation after the other. To read a value it has to
wait until all of them are done; then the device waits for the next.

## References
- [Avoid unnecessary CPU-GPU synchronization](https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html#avoid-unnecessary-cpu-gpu-synchronization)
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.repeats import Repeat

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS701"
NAME = "sync-in-loop"
SEVERITY: Severity = "advice"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = nn.Linear(512, 512).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        x = torch.randn(256, 512, device=device)
        total = 0.0
        for _ in range(100):
            optimizer.zero_grad()
            loss = (model(x) - x).square().mean()
            loss.backward()
            optimizer.step()
            total += loss.item()  # TS701
        print(total / 100)
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = nn.Linear(512, 512).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x = torch.randn(256, 512, device=device)
    total = torch.zeros((), device=device)
    for _ in range(100):
        optimizer.zero_grad()
        loss = (model(x) - x).square().mean()
        loss.backward()
        optimizer.step()
        total += loss.detach()
    print(total.item() / 100)
    """,
)

_SHARE = 0.02
"""Of the time of a step; less is no matter."""

_WARM = 3
"""The steps before it take longer than others."""

_LINES = 64
_RELATED = 4


class Watch(Detector):
    """Adds up what the lines wait that read values from a device."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._lines: dict[Place, tuple[Repeat, str]] = {}
        self._first: tuple[int, float] | None = None
        self._last: tuple[int, float] | None = None

    @sampled
    def on_waited(self, event: Event) -> None:
        """A value was read."""
        place = event.place
        if place is not None and (place in self._lines or len(self._lines) < _LINES):
            self._lines.setdefault(place, (Repeat(), event.name))[0].add(self.stream.step, event.seconds)

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """Takes the time, where there is something to measure."""
        if self._lines:
            self._last = self.stream.step, time.perf_counter() - self.stream.spent  # without what we take
            if self._first is None and self.stream.step >= _WARM:
                self._first = self._last

    def on_end(self, event: Event) -> None:
        """Judges the lines, the costliest first."""
        if self._first is None or self._last is None or self._last[0] == self._first[0]:
            return
        step = (self._last[1] - self._first[1]) / (self._last[0] - self._first[0])
        stepping = max(1, sum(account.steps > 0 for _, account in self.gradients.each()))
        found = [
            (repeat, name, place)
            for place, (repeat, name) in self._lines.items()
            if repeat.at_each_step(stepping) and repeat.seconds >= _SHARE * step
        ]
        found.sort(key=lambda one: -one[0].seconds)
        if found:
            self._report(found, step)

    def _report(self, found: list[tuple[Repeat, str, Place]], step: float) -> None:
        repeat, name, place = found[0]
        waited = sum(one.seconds for one, _, _ in found)
        times = f", {repeat.times_a_step} times" if repeat.times_a_step > 1 else ""
        self.found(
            f"`{name}` waits for the device in each step{times}: {1000 * repeat.seconds:.2g} ms, "
            f"{min(1.0, repeat.seconds / step):.0%} of the time",
            why="the device has nothing to do until the program, which waited for it, gives it the next step",
            place=place,
            fix="Add up on the device (`total += loss.detach()`) and read the sum now and then.",
            related=tuple(
                (other, f"`{called}` waits here, {1000 * one.seconds:.2g} ms a step")
                for one, called, other in found[1 : 1 + _RELATED]
            ),
            waited_ms=round(1000 * waited, 3),
            step_ms=round(1000 * step, 3),
            times=repeat.times_a_step,
            lines=len(found),
        )
