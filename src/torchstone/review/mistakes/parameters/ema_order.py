"""An average of the weights is taken between the backward pass and the step, so it misses the step.

## What it does
Looks when an `AveragedModel` of torch takes in the weights of a model: between the backward pass and the step
of the optimizer that holds the model, three steps in a row, is reported.

## Why is this bad?
The average is always one step behind, begins with the weights that nothing was learned by, and misses the
last step. Gradients that the step will use are there already, and what is averaged is not what they are
applied to.

## References
- [Stochastic weight averaging](https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema)
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS517"
NAME = "ema-order"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(6):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
            average.update_parameters(model)  # TS517
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(6):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
        optimizer.step()
        average.update_parameters(model)
    """,
)

_TIMES = 3


class _Average:
    """A net whose weights are an average of those of another.

    Args:
        optimizer: the one that trains the other.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = weakref.ref(optimizer)
        self.pending = 0
        """The backward pass that came before the average, while the step did not come yet."""
        self.times = 0
        """So many steps in a row came after the average."""
        self.place: Place | None = None


class Watch(Detector):
    """Looks whether averages come before the steps of the optimizer that trains what they are of."""

    AFTER = ("averaged",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._averages: ByIdentity[_Average] = ByIdentity()

    def on_averaged(self, event: Event) -> None:
        """Whether the optimizer has gradients that it did not use yet."""
        average = self._averages.get(event.subject)
        optimizer = None if average is None else average.optimizer()
        if average is None or optimizer is None:
            owners = self.gradients.owners(list(event.source.parameters()))
            if len(owners) != 1:  # whose step it should come after is not known
                return
            optimizer = owners[0][0]
            average = self._averages[event.subject] = _Average(optimizer)
        account = self.gradients.of(optimizer)
        if account.gave > max(account.stepped, account.cleared):
            average.pending = account.gave
            average.place = average.place or event.place
        else:
            average.pending = average.times = 0
            average.place = None

    def on_step_began(self, event: Event) -> None:
        """Whether an average was taken since the backward pass."""
        for average in list(self._averages.values()):
            if average.optimizer() is not event.subject or not average.pending:
                continue
            same = average.pending == self.gradients.of(event.subject).gave
            average.times, average.pending = average.times + 1 if same else 0, 0
            if average.times >= _TIMES:
                self.found(
                    "The average takes in the weights before the optimizer's step, not after it",
                    why="it is always one step behind, and misses the last step",
                    place=average.place,
                    fix="Call `update_parameters` after `optimizer.step()`.",
                    related=((event.place, "the step comes after"),),
                )
