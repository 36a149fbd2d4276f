"""Gradients of the last batches of a pass, which make no whole group, are lost or go into the next pass.

## What it does
Counts the batches of a `DataLoader` that each optimizer step uses. Where groups of several batches are usual,
it reports batches at the end of a pass that no step used before gradients were cleared or the run ended, and
those that a step of the next pass used beside a whole group of its own. Said when it was seen twice, or once
and the run is over. A count that goes on over passes, whose groups all have the same size, is right.

## Why is this bad?
`if (i + 1) % k == 0` steps for whole groups of k batches only. When the number of batches is not a multiple
of k, the last ones teach nothing, in each pass, or the first step of the next pass is larger than all others.

## References
- [Gradient accumulation](https://docs.pytorch.org/docs/stable/notes/amp_examples.html#gradient-accumulation)
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS110"
NAME = "dropped-accumulation-tail"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        torch.manual_seed(0)
        data = TensorDataset(torch.randn(56, 4), torch.randn(56, 1))
        loader = DataLoader(data, batch_size=8, shuffle=True)  # 7 batches
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(3):
            optimizer.zero_grad()
            for i, (x, y) in enumerate(loader):
                loss = nn.functional.mse_loss(model(x), y) / 2
                loss.backward()  # TS110
                if (i + 1) % 2 == 0:
                    optimizer.step()
                    optimizer.zero_grad()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    data = TensorDataset(torch.randn(56, 4), torch.randn(56, 1))
    loader = DataLoader(data, batch_size=8, shuffle=True)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        optimizer.zero_grad()
        for i, (x, y) in enumerate(loader):
            loss = nn.functional.mse_loss(model(x), y) / 2
            loss.backward()
            if (i + 1) % 2 == 0 or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
    """,
)

_STEPS = 64
"""A program that went so far without a group of several batches has none."""


class _Group:
    """The batches whose gradients an optimizer has and did not use yet."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = weakref.ref(optimizer)
        self.batches: set[tuple[int, int]] = set()
        """Loader and number of each."""
        self.carried = 0
        """So many are of a pass that has ended."""
        self.sizes: tuple[int, ...] = ()
        """How many batches of one pass the last two steps used."""
        self.tails = 0
        """How often a tail was lost, or used by a step of the next pass."""
        self.straddles = False
        """A whole group had batches of two passes: the count goes on over passes."""
        self.left_over = (0, "")
        """How many batches the last tail had, and what became of it."""
        self.backward: Place | None = None
        self.step: Place | None = None

    @property
    def period(self) -> int:
        """How many batches a step uses, where it uses several; 0 where that is not known."""
        return self.sizes[0] if len(self.sizes) == 2 and self.sizes[0] == self.sizes[1] > 1 else 0

    @property
    def is_tail(self) -> bool:
        """Whether it holds the last batches of a pass, less than a whole group, and nothing else."""
        return 0 < len(self.batches) == self.carried < self.period and not self.straddles

    def clear(self) -> None:
        """A new group begins."""
        self.batches.clear()
        self.carried = 0


class Watch(Detector):
    """Counts the batches between steps, and looks at those left over at the end of a pass."""

    AFTER = ("epoch_began",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._groups: dict[int, _Group] = {}
        self._batch: tuple[int, int] | None = None
        self._count = 0
        self._several = self._pending = False

    def on_batch(self, event: Event) -> None:
        """What the next gradients are of."""
        self._count += 1
        self._batch = id(event.subject), self._count

    def on_backward_ended(self, event: Event) -> None:
        """Whose gradients came."""
        if self._batch is None:
            return
        for optimizer, account in self.gradients.each():
            if account.gave == self.gradients.now:
                batches = self._of(optimizer).batches
                batches.add(self._batch)
                self._pending = True
                self._several = self._several or len(batches) > 1

    def on_epoch_ended(self, event: Event) -> None:
        """What no step used yet is left over."""
        for group in self._groups.values():
            if any(loader == id(event.subject) for loader, _ in group.batches):
                group.carried = len(group.batches)

    def on_cleared(self, event: Event) -> None:
        """It may be lost now."""
        if self._several and self._pending:  # most often a step has used what is cleared
            for optimizer, account in self.gradients.each():
                if account.cleared == self.gradients.now:
                    group = self._of(optimizer)
                    self._lose(group)
                    group.clear()

    def on_step_began(self, event: Event) -> None:
        """What is used, and together with what."""
        group = self._of(event.subject)
        count, fresh = len(group.batches), len(group.batches) - group.carried
        if count and (self.stream.sampled or group.step is None):
            group.step, group.backward = event.place, self.gradients.of(event.subject).gave_place
        if group.carried and count == group.period:
            group.straddles = True
        elif group.carried and group.sizes and fresh == group.sizes[-1] > 1:
            self._add(group, group.carried, "were used by a step of the next pass, beside its own")
        if fresh:
            group.sizes = (*group.sizes[-1:], fresh)
        group.clear()
        self._pending = any(other.batches for other in self._groups.values())
        if self.stream.step > _STEPS and not self._several:
            self.stream.drop(self)

    def on_end(self, event: Event) -> None:
        """Nothing comes after."""
        for group in self._groups.values():
            self._end(group)

    def _end(self, group: _Group) -> None:
        self._lose(group)
        if group.tails:
            self._tell(group)

    def _of(self, optimizer: Any) -> _Group:
        group = self._groups.get(id(optimizer))
        if group is None or group.optimizer() is not optimizer:
            if group is not None:  # of one that is gone, whose place in memory this one took
                self._end(group)
            group = self._groups[id(optimizer)] = _Group(optimizer)
        return group

    def _lose(self, group: _Group) -> None:
        if group.is_tail:
            self._add(group, group.carried, "were used by no step")

    def _add(self, group: _Group, count: int, words: str) -> None:
        group.tails += 1
        group.left_over = count, words
        if group.tails > 1:
            self._tell(group)

    def _tell(self, group: _Group) -> None:
        if group.straddles:
            return
        period, (count, words) = group.sizes[-1], group.left_over
        self.found(
            f"The gradients of the last batches of a pass, less than the {period} of a group, {words}",
            why="they teach nothing, or make one step larger than the others",
            place=group.backward or group.step,
            fix=f"Step after the last batch too: `if (i + 1) % {period} == 0 or i + 1 == len(loader):`.",
            related=((group.step, f"steps after every {period} batches"),),
            batches_of_a_step=period,
            left_over=count,
        )
