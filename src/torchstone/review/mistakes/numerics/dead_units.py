"""Nearly all units of a ReLU layer are zero for every sample.

## What it does
Looks at the outputs of `nn.ReLU` modules in training, in batches here and there, and reports a layer of which
nine units in ten were zero for all samples of many batches.

## Why is this bad?
A unit that is zero for every sample gets no gradient, and so never comes back. The layer is as wide as its
living units. The usual causes are a rate that is too high at first, inputs that were not scaled, or a large
negative bias.

## References
- [Rectified linear units that die](https://cs231n.github.io/neural-networks-1/#actfun)
- [Dying ReLU and initialization](https://arxiv.org/abs/1903.06733)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.leaves import is_wrapped
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, is_tensor

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS609"
NAME = "dead-units"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
        nn.init.constant_(model[0].bias, -20.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(30):
            x, y = torch.randn(64, 4), torch.randint(2, (64,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()  # TS609
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(30):
        x, y = torch.randn(64, 4), torch.randint(2, (64,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    """,
)

_DEAD = 0.9
"""CS231n tells of up to 40 % of dead units at too high rates; from here on a layer is hardly there."""

_PASSES = 10
_SAMPLES = 512
"""A unit counts as dead when it was zero for so many samples of so many batches."""

_UNITS = 8
"""Layers with fewer units are left alone."""


@dataclass
class _Layer:
    """Which units of a layer were above zero.

    Args:
        alive: one truth value for each, a tensor of ours.
        passes: that were looked at.
        samples: in them.
    """

    alive: Any
    passes: int = 0
    samples: int = 0


class Watch(Detector):
    """Looks at the outputs of ReLU layers."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._layers: ByIdentity[_Layer] = ByIdentity()

    @sampled
    def on_forward(self, event: Event) -> None:
        """One pass more."""
        module, output = event.subject, event.output
        if type(module).__name__ not in ("ReLU", "ReLU6"):
            return
        # Only where the units are the second dimension for sure: pictures, and rows of a table.
        if not module.training or not event.recording:
            return
        if not is_tensor(output) or output.ndim not in (2, 4):
            return
        units = output.shape[1]
        if units < _UNITS or is_wrapped(output):
            return
        others = [dimension for dimension in range(output.ndim) if dimension != 1]
        alive = (~(output.detach() <= 0)).sum(dim=others) > 0  # what is not a number is not zero
        layer = self._layers.get(module)
        if layer is None or layer.alive.shape != alive.shape or layer.alive.device != alive.device:
            layer = self._layers[module] = _Layer(alive)
        layer.alive |= alive
        layer.passes += 1
        layer.samples += output.shape[0]
        if layer.passes >= _PASSES and layer.samples >= _SAMPLES:
            self._judge(event, layer, units)
            del self._layers[module]

    def _judge(self, event: Event, layer: _Layer, units: int) -> None:
        dead = units - int(layer.alive.sum())
        if dead < _DEAD * units:
            return
        name = self.names.module(event.subject)
        self.found(
            f"{dead} of {units} units of `{name}` were zero for all of {layer.samples} samples",
            why="a unit that is always zero gets no gradient and never comes back",
            place=event.place,
            fix="Make the rate smaller, scale the inputs, or look at the biases before this layer.",
            cause=name,
            dead=dead,
            units=units,
            samples=layer.samples,
        )
