"""The same tensor is copied to the device in every step.

## What it does
Reports a tensor on the CPU that the same line of the program copies to another device in one step after the
other, without having changed it in between. New tensors that are made and copied in each step, such as
batches, are passed over.

## Why is this bad?
The copy is the same as the one of the step before. It takes the time of a transfer, and from ordinary memory
the program waits until it is done.

## References
- [Performance tuning guide](https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html)
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.naming import variable
from torchstone.review.repeats import Repeat

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS705"
NAME = "repeated-transfer"
SEVERITY: Severity = "advice"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = nn.Linear(8, 3).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        weights = torch.tensor([1.0, 2.0, 4.0])
        for _ in range(20):
            x, y = torch.randn(16, 8).to(device), torch.randint(0, 3, (16,)).to(device)
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y, weight=weights.to(device))  # TS705
            loss.backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = nn.Linear(8, 3).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    weights = torch.tensor([1.0, 2.0, 4.0], device=device)
    for _ in range(20):
        x, y = torch.randn(16, 8).to(device), torch.randint(0, 3, (16,)).to(device)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y, weight=weights)
        loss.backward()
        optimizer.step()
    """,
)

_TENSORS = 64


class _Move:
    """The copies that one line made of one tensor as it is."""

    def __init__(self, tensor: Any) -> None:
        self.tensor: weakref.ref[Any] = weakref.ref(tensor)
        self.version = tensor._version
        self.repeat = Repeat()

    def is_of(self, tensor: Any) -> bool:
        """Whether it is still the same, unchanged."""
        held = self.tensor()
        return held is not None and held is tensor and bool(held._version == self.version)


class Watch(Detector):
    """Looks whether a line copies what it has copied before."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._moves: dict[tuple[int, Place], _Move] = {}

    @sampled
    def on_moved(self, event: Event) -> None:
        """A tensor was copied to a device."""
        tensor, place = event.subject, event.place
        if place is None or not tensor.is_cpu:
            return
        key = id(tensor), place
        move = self._moves.get(key)
        if move is None or not move.is_of(tensor):
            if len(self._moves) >= _TENSORS:
                self._moves = {k: one for k, one in self._moves.items() if one.tensor() is not None}
            if len(self._moves) >= _TENSORS:
                return
            move = self._moves[key] = _Move(tensor)
        move.repeat.add(self.stream.step, event.seconds)
        stepping = max(1, sum(account.steps > 0 for _, account in self.gradients.each()))
        if move.repeat.at_each_step(stepping):
            self._report(event, place, move)

    def _report(self, event: Event, place: Place, move: _Move) -> None:
        tensor = event.subject
        name = variable(tensor, event.frame)
        what = f"`{name}`" if name else f"A tensor of shape {tuple(tensor.shape)}"
        device = event.result.device.type
        self.found(
            f"{what} is copied to {device} in every step, and is the same each time",
            why="each copy takes the time of a transfer, and the program waits for it",
            place=place,
            fix=f"Move it once, before the loop, or make it there: `device={str(event.result.device)!r}`.",
            bytes=tensor.numel() * tensor.element_size(),
            milliseconds=round(1000 * move.repeat.seconds, 4),
            shape=list(tensor.shape),
        )
