"""Parameters that the optimizer holds get no gradient in the whole run.

## What it does
Lists the parameters of each optimizer that want a gradient and had none at any step that was looked at, and
for which the optimizer has kept nothing (momentum, running means), while others of it learn.

## Why is this bad?
A layer that no forward uses was forgotten, or replaced and not removed. It is saved, counted and moved by
nobody; under `DistributedDataParallel` it makes the backward pass wait or fail. What was meant to learn there
does not.

## References
- [DistributedDataParallel](https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html)
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import parameters
from torchstone.review.mistake import Example

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS505"
NAME = "unused-parameters"
SEVERITY: Severity = "advice"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(4, 8)
                self.second = nn.Linear(8, 8)  # TS505
                self.last = nn.Linear(8, 1)

            def forward(self, x):
                return self.last(torch.relu(self.first(x)))

        torch.manual_seed(0)
        model = Net()
        optimizer = torch.optim.Adam(model.parameters())
        for step in range(12):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 8)
            self.second = nn.Linear(8, 8)
            self.last = nn.Linear(8, 1)

        def forward(self, x):
            return self.last(torch.relu(self.second(torch.relu(self.first(x)))))

    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(12):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
        optimizer.step()
    """,
)

_STEPS = 9
"""Steps of an optimizer before its parameters are judged."""


class _Unused:
    """The parameters of an optimizer that had no gradient so far.

    Args:
        optimizer: it.
        held: those parameters.
    """

    def __init__(self, optimizer: Any, held: list[Any]) -> None:
        self.optimizer = weakref.ref(optimizer)
        self.held = [weakref.ref(one) for one in held]
        self.names: list[str] = []
        self.place: Place | None = None
        self.made: Place | None = None

    def alive(self) -> list[Any]:
        """The parameters."""
        return [one for reference in self.held if (one := reference()) is not None]


class Watch(Detector):
    """Looks, in sampled steps, which parameters have a gradient or have had one."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._unused: dict[int, _Unused] = {}

    def on_optimizer_made(self, event: Event) -> None:
        """What it is given may learn from now on."""
        given = {id(one) for one in parameters(event.subject)}
        for known in self._unused.values():
            if any(id(one) in given for one in known.alive()):
                known.held = []

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """Who has learned."""
        optimizer = event.subject
        if self.gradients.of(optimizer).steps < _STEPS:
            return
        known = self._unused.get(id(optimizer))
        if known is None or known.optimizer() is not optimizer:
            everything = list(parameters(optimizer))
            held = [one for one in everything if not self._has_learned(optimizer, one)]
            # Where nothing at all has learned, gradients come in another way than is seen here.
            known = _Unused(optimizer, held if len(held) < len(everything) else [])
            self._unused[id(optimizer)] = known
            self._name(known)
        else:
            self._look(known, optimizer)

    def on_end(self, event: Event) -> None:
        """What never had a gradient."""
        for known in self._unused.values():
            optimizer = known.optimizer()
            if optimizer is not None:
                self._look(known, optimizer)
            if known.held:
                self._tell(known)

    def _look(self, known: _Unused, optimizer: Any) -> None:
        """Leaves out those that have learned meanwhile."""
        held = [one for one in known.alive() if not self._has_learned(optimizer, one)]
        if len(held) < len(known.alive()):
            known.held = [weakref.ref(one) for one in held]
            self._name(known)

    def _has_learned(self, optimizer: Any, parameter: Any) -> bool:
        """Whether a parameter has a gradient, had one, wants none, or is another optimizer's too."""
        if not parameter.requires_grad or parameter.grad is not None or optimizer.state.get(parameter):
            return True
        return len(self.gradients.owners([parameter])) > 1

    def _name(self, known: _Unused) -> None:
        """Finds what they are called, as long as there is the model."""
        held = known.alive()
        known.names = self.names.parameters(held)
        known.made = self.parts.optimizers.get(known.optimizer(), (0, None))[1]
        known.place = self._made(held[0]) if held else None

    def _made(self, parameter: Any) -> Place | None:
        """The line that made the layer of a parameter."""
        for root, _ in self.names.roots():
            for layer in root.modules():
                if any(one is parameter for one in layer._parameters.values()):
                    made = self.parts.made.get(layer)
                    return made.places[0] if made is not None and made.places else None
        return None

    def _tell(self, known: _Unused) -> None:
        several = len(known.held) > 1
        self.found(
            f"{len(known.held)} parameter{'s' if several else ''} of the optimizer had no gradient in the "
            f"whole run: {', '.join(known.names)}",
            why="nothing that was learned from used them; they stay what they were at the start",
            place=known.place or known.made,
            fix="Use the layer in `forward`, or remove it.",
            related=((known.made, "the optimizer was given them here"),) if known.place else (),
            cause=id(known),
            parameters=known.names,
        )
