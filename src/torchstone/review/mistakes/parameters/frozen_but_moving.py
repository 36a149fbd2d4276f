"""Parameters that were frozen are moved by the optimizer all the same.

## What it does
Compares parameters that need no gradient before and after a step of the optimizer that holds them, and
reports those that moved in two steps.

## Why is this bad?
An optimizer leaves out what has no gradient, not what needs none. Parameters that were frozen after a
backward pass keep their last gradient (and `zero_grad(set_to_none=False)` leaves zeros): weight decay,
momentum and the running means of Adam go on to move them, away from the values that were to be kept.

## References
- [Locally disabling gradient computation](https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation)
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import parameters
from torchstone.review.leaves import numbers_of
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS506"
NAME = "frozen-but-moving"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for step in range(6):
            if step == 2:
                model[0].requires_grad_(False)
            optimizer.zero_grad(set_to_none=False)
            nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.randint(2, (8,))).backward()
            optimizer.step()  # TS506
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for step in range(6):
        if step == 2:
            model[0].requires_grad_(False)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.randint(2, (8,))).backward()
        optimizer.step()
    """,
)

_MOST = 8
"""So many frozen parameters of an optimizer are looked at."""


class Watch(Detector):
    """Compares frozen parameters before and after a step."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._before: list[tuple[weakref.ref[Any], Any]] = []
        self._times: ByIdentity[int] = ByIdentity()

    @sampled
    def on_step_began(self, event: Event) -> None:
        """Frozen parameters that still have a gradient: without one, the step leaves them out."""
        held = (one for one in parameters(event.subject) if not one.requires_grad)
        frozen = [one for one in held if one.grad is not None][:_MOST]
        self._before = [(weakref.ref(one), numbers_of(one)) for one in frozen]

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """Whether they moved."""
        moved = []
        for reference, numbers in self._before:
            parameter = reference()
            if parameter is not None and numbers is not None and numbers_of(parameter) != numbers:
                moved.append(parameter)
        self._before = []
        if not moved:
            return
        times = self._times[event.subject] = self._times.get(event.subject, 0) + 1
        if times < 2:
            return
        names = self.names.parameters(moved)
        self.found(
            f"`{names[0]}` is frozen, but each step moves it: it still has a gradient",
            why="an optimizer leaves out what has no gradient; decay and momentum move all the rest",
            place=event.place,
            fix="Set `.grad` to None when you freeze, or give the optimizer only what is trained.",
            cause=id(event.subject),
            parameters=names,
            optimizer=type(event.subject).__name__,
        )
