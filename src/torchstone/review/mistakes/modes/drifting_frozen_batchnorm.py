"""The statistics of a frozen model's batch normalisation drift, because it is left in training mode.

## What it does
Watches the calls of a model that is partly trained, and reports batch normalisation layers whose parameters
are frozen and never change, and whose running statistics do.

## Why is this bad?
`requires_grad_(False)` freezes parameters, not buffers. In training mode each forward pass normalises by the
batch and moves the running mean and variance towards the new data: the frozen features change under the
layers that learn from them, and are others in evaluation than in training.

## References
- [BatchNorm2d](https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html)
- [Locally disabling gradient computation: evaluation mode](https://docs.pytorch.org/docs/stable/notes/autograd.html)
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, is_tensor

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS205"
NAME = "drifting-frozen-batchnorm"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
        body.requires_grad_(False)
        model = nn.Sequential(body, nn.Linear(8, 2))
        optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
        model.train()
        for _ in range(10):
            optimizer.zero_grad()
            scores = model(torch.randn(16, 4))  # TS205
            nn.functional.cross_entropy(scores, torch.randint(0, 2, (16,))).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
    body.requires_grad_(False)
    model = nn.Sequential(body, nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.1)
    model.train()
    body.eval()
    for _ in range(10):
        optimizer.zero_grad()
        scores = model(torch.randn(16, 4))
        nn.functional.cross_entropy(scores, torch.randint(0, 2, (16,))).backward()
        optimizer.step()
    """,
)

_MOST_LAYERS = 4
_MOST_MODULES = 16
_STEPS = 5
"""Between the first look and the verdict: what follows another model slowly has moved by then."""


class _Look:
    """The first look at the frozen layers of a module."""

    def __init__(self, step: int, layers: list[Any]) -> None:
        self.step = step
        self.layers = [weakref.ref(layer) for layer in layers]
        self.means = _means(layers)
        self.sums = _sums(layers)
        self.silent = False
        """They are trained at other times, or follow another model."""


class Watch(Detector):
    """Compares frozen layers of one module, in sampled steps."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._looks: ByIdentity[_Look] = ByIdentity()

    @sampled
    def on_forward(self, event: Event) -> None:
        """A module that the program calls, of which a part is trained."""
        if not event.root or not event.training:
            return
        look = self._looks.get(event.subject)
        if look is not None:
            self._compare(event, look)
        elif len(self._looks) < _MOST_MODULES and is_tensor(event.output) and event.output.requires_grad:
            layers = [part for part in event.subject.modules() if _is_frozen(part)][:_MOST_LAYERS]
            if layers:
                self._looks[event.subject] = _Look(self.stream.step, layers)

    def _compare(self, event: Event, look: _Look) -> None:
        layers = [layer for layer in (each() for each in look.layers) if layer is not None]
        if look.silent or len(layers) != len(look.layers):
            return
        if not all(_is_frozen(layer) for layer in layers) or _sums(layers) != look.sums:
            look.silent = True
            return
        if self.stream.step - look.step < _STEPS or _means(layers) == look.means:
            return
        look.silent = True
        name = self.names.module(layers[0])
        self.found(
            f"`{name}` is frozen, and its running statistics change: it is in training mode",
            why="frozen features change under the layers that learn from them",
            place=event.place,
            fix="Call `eval()` on the frozen part after each `train()`.",
            cause=id(event.subject),
            layers=[self.names.module(layer) for layer in layers],
            steps=self.stream.step - look.step,
        )


def _is_frozen(part: Any) -> bool:
    """Whether it is batch normalisation in training mode, with parameters that do not learn."""
    if not any(kind.__name__ == "_BatchNorm" for kind in type(part).__mro__):
        return False
    if not part.training or part.running_mean is None or part.weight is None or part.momentum is None:
        return False
    return part.momentum > 0 and not part.weight.requires_grad and not part.bias.requires_grad


def _means(layers: list[Any]) -> list[float]:
    """A number for each running mean; the kernel that moves it leaves its version as it was."""
    return [float(layer.running_mean.detach().double().sum()) for layer in layers]


def _sums(layers: list[Any]) -> list[float]:
    """What shows whether parameters change by other means, such as a moving average."""
    held = [parameter.detach().double() for layer in layers for parameter in (layer.weight, layer.bias)]
    return [float(values.sum()) for values in held] + [float(values.square().sum()) for values in held]
