"""The optimizer steps, but its steps are too small to change a single weight.

## What it does
Compares some weights before and after a step, and reports an optimizer whose steps left all of them exactly
as they were, time after time, although their gradients were not zero and the rate was not either.

## Why is this bad?
A number can only be changed by what is not lost in rounding: about 1e-7 of it in float32, 1e-3 in float16 and
4e-3 in bfloat16. When the rate is too small for the type of the weights, each step is rounded away: the
program runs, and nothing is learned.

## References
- [Mixed precision training, a master copy of weights](https://arxiv.org/abs/1710.03740)
- [Revisiting BFloat16 training](https://arxiv.org/abs/2010.06192)
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.updates import Updates

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS611"
NAME = "no-progress"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        torch.manual_seed(0)
        model = nn.Linear(8, 4, dtype=torch.bfloat16)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)
        for _ in range(20):
            x, y = torch.randn(16, 8, dtype=torch.bfloat16), torch.randint(4, (16,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()  # TS611
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Linear(8, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5)
    for _ in range(20):
        x, y = torch.randn(16, 8), torch.randint(4, (16,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    """,
)

_STEPS = 8
"""So many measured steps in a row changed nothing; a warm-up may begin with a few."""


class Watch(Detector):
    """Compares some weights before and after each step that is looked at."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._updates = Updates()
        self._still: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    @sampled
    def on_step_began(self, event: Event) -> None:
        """The weights before."""
        if self.stream.sampled:
            self._updates.began(event.subject)

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """Whether they are what they were, though they had gradients."""
        measured = self._updates.ended()
        if not measured:
            return
        optimizer = event.subject
        if any(moved != 0 or not gradient > 0 for _, moved, gradient in measured):
            self._still[optimizer] = 0
            return
        times = self._still[optimizer] = self._still.get(optimizer, 0) + 1
        names = [self.names.parameter(weight) for weight, _, _ in measured]
        if times < _STEPS or None in names:
            return
        kind = str(measured[0][0].dtype).removeprefix("torch.")
        rate = float(optimizer.param_groups[0]["lr"])
        self.found(
            f"Steps with a rate of {rate:g} do not change `{names[0]}` at all: they are lost in the rounding "
            f"of {kind}",
            why="nothing is learned",
            place=event.place,
            fix="Make the rate larger, or keep the weights in float32 and compute under autocast.",
            cause=id(optimizer),
            rate=rate,
            parameters=names,
        )
