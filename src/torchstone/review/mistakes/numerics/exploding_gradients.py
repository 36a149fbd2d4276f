"""Gradients grow a thousandfold, and nothing clips them.

## What it does
Follows the length of the gradient at the steps of each optimizer, and reports one that stays a thousand times
longer than in the first steps while the program clips nothing.

## Why is this bad?
Steps as long as that throw the weights far away from all that was learned; the next gradients are longer
still, until the loss is infinite or NaN. The usual causes are a rate that is too high, unscaled inputs or
targets, and recurrent layers over long sequences.

## References
- [On the difficulty of training recurrent neural networks](https://arxiv.org/abs/1211.5063)
- [clip_grad_norm_](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html)
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.leaves import gradient_lengths
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, Identities

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS607"
NAME = "exploding-gradients"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        torch.manual_seed(0)
        model = nn.Linear(8, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
        for _ in range(40):
            x = torch.randn(32, 8)
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), x[:, :1]).backward()
            optimizer.step()  # TS607
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(40):
        x = torch.randn(32, 8)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), x[:, :1]).backward()
        optimizer.step()
    """,
)

_FIRST = 5
"""So many first lengths are what the others are compared with."""

_TIMES = 3
"""So many lengths in a row have to be too long."""

_GROWTH = 1000.0
"""Pascanu, Mikolov and Bengio (2013) clip at half to ten times the average length; this is far beyond."""

_LONG = 1000.0
"""Shorter gradients than this are let grow: training may begin where there are hardly any."""


class Watch(Detector):
    """Compares the length of the gradients with that of the first steps."""

    PAUSES = frozenset({"clipped"})

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._lengths: ByIdentity[list[float]] = ByIdentity()
        self._clipped: Identities = Identities()

    def on_clipped(self, event: Event) -> None:
        """Who clips has taken care."""
        for optimizer, _ in self.gradients.owners(event.subject):
            self._clipped.add(optimizer)

    @sampled
    def on_step_began(self, event: Event) -> None:
        """One length more."""
        optimizer = event.subject
        if optimizer in self._clipped:
            return
        length = sum(one**2 for _, one in gradient_lengths(event)) ** 0.5
        lengths = self._lengths.setdefault(optimizer, [])
        usual = statistics.median(lengths[:_FIRST]) if len(lengths) >= _FIRST else 0.0
        if len(lengths) < _FIRST or (0 < max(_LONG, usual * _GROWTH) <= length < float("inf") and usual > 0):
            lengths.append(length)
        else:
            del lengths[_FIRST:]
        if len(lengths) < _FIRST + _TIMES:
            return
        self._clipped.add(optimizer)
        self.found(
            f"The gradient is {length:.2g} long, {length / usual:.2g} times as long as in the first steps",
            why="such steps throw the weights away from all that was learned",
            place=event.place,
            fix="Make the rate smaller, scale inputs and targets, or clip with `clip_grad_norm_`.",
            cause=id(optimizer),
            first=usual,
            length=length,
            optimizer=type(optimizer).__name__,
        )
