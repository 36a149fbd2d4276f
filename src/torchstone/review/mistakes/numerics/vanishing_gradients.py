"""The gradient vanishes on its way to the first layers of a deep model.

## What it does
Compares the gradients of the first weights that an optimizer holds with those of the last ones, and reports a
model of eight layers or more whose first gradients are a millionth of the last, step after step.

## Why is this bad?
The first layers hardly change: the model learns with its last layers from nearly random features. The usual
causes are many saturating activations (sigmoid, tanh) in a row without normalisation or skip connections, and
weights that are too small at the start.

## References
- [Understanding the difficulty of training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html)
- [Deep residual learning](https://arxiv.org/abs/1512.03385)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.leaves import gradient_lengths
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS608"
NAME = "vanishing-gradients"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        torch.manual_seed(0)
        layers = [layer for _ in range(12) for layer in (nn.Linear(16, 16), nn.Sigmoid())]
        model = nn.Sequential(*layers, nn.Linear(16, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(20):
            x, y = torch.randn(32, 16), torch.randint(2, (32,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()  # TS608
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = [layer for _ in range(12) for layer in (nn.Linear(16, 16), nn.LayerNorm(16), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(20):
        x, y = torch.randn(32, 16), torch.randint(2, (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    """,
)

_LAYERS = 8
"""Models with fewer weights are not deep."""

_ENDS = 2
"""So many weights at each end are compared."""

_VANISHED = 1e-6
"""Glorot and Bengio (2010) see gradients shrink by a few times from layer to layer in plain sigmoid nets; in
nets that train, those of the ends are within a factor of a hundred."""

_STEPS = 8
"""So many measured steps in a row."""


class Watch(Detector):
    """Compares the gradients of the first weights with those of the last."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._times: ByIdentity[int] = ByIdentity()

    @sampled
    def on_step_began(self, event: Event) -> None:
        """One step more; a layer whose gradient is zero is not trained for another reason."""
        optimizer = event.subject
        lengths = gradient_lengths(event, dimensions=2)
        weights = [(one, length / one.numel() ** 0.5) for one, length in lengths if length > 0]
        if len(weights) < _LAYERS:
            return
        first = max(size for _, size in weights[:_ENDS])
        last = min(size for _, size in weights[-_ENDS:])
        vanished = first < _VANISHED * last < float("inf")
        times = self._times[optimizer] = self._times.get(optimizer, 0) + 1 if vanished else 0
        if times != _STEPS:
            return
        names = [self.names.parameter(one) for one in (weights[0][0], weights[-1][0])]
        if None in names:
            return
        self.found(
            f"The gradient of `{names[0]}` is {first / last:.1g} of that of `{names[1]}`, step after step",
            why="the first layers hardly change",
            place=event.place,
            fix="Use ReLU or GELU with normalisation and skip connections, and the start that fits them.",
            cause=id(optimizer),
            first=first,
            last=last,
        )
