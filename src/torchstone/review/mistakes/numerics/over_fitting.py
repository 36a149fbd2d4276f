"""The loss of the held-out data rises, pass after pass, while that of the training data falls.

## What it does
Follows the mean loss of each evaluation pass over held-out data, and that of training in between. At the end
it reports a run whose evaluation loss was lowest five passes or more ago, is a fifth higher now and still
rose in the last passes, while the training loss fell by a fifth. A pass counts as evaluation when a loader
whose name says that it holds data to validate or test with is gone through without gradients. A program that
has a file from the time when that loss was lowest, or loaded a state afterwards, has taken care.

## Why is this bad?
From the lowest point on the model learns what is peculiar to the training samples. The last model is worse
than one that was there before, and the time since was for nothing. For a classifier the accuracy may still
rise for a while; its probabilities get worse.

## References
- [Early stopping, but when?](https://doi.org/10.1007/3-540-49430-8_3) (Prechelt 1998: generalisation loss,
  successive rises)
- [On calibration of modern neural networks](https://arxiv.org/abs/1706.04599)
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector
from torchstone.review.epochs import is_held_out, names_of
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS613"
NAME = "over-fitting"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        torch.manual_seed(0)
        x = torch.randn(96, 16)
        y = (x[:, 0] + 2 * torch.randn(96) > 0).long()
        train_loader = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=8, shuffle=True)
        val_loader = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=16)
        model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 2))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
        for epoch in range(20):
            model.train()
            for inputs, targets in train_loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(inputs), targets).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                for inputs, targets in val_loader:
                    loss = nn.functional.cross_entropy(model(inputs), targets)  # TS613
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    x = torch.randn(96, 16)
    y = (x[:, 0] > 0).long()
    train_loader = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=8, shuffle=True)
    val_loader = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=16)
    model = nn.Linear(16, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for epoch in range(20):
        model.train()
        for inputs, targets in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for inputs, targets in val_loader:
                loss = nn.functional.cross_entropy(model(inputs), targets)
    """,
)

_SINCE = 5
"""So many passes since the lowest loss. Prechelt (1998) stops after two to eight successive rises."""

_RISE = 1.2
"""Prechelt stops at losses 1 to 5 % above the lowest; single passes of small sets differ by more."""

_FALL = 0.8
"""The training loss is this share of what it was at the lowest point, or less."""

_SAMPLES = 8
"""So many training losses make the mean at a time."""

_MOST = 4096
"""So many training losses and passes are kept in mind."""


@dataclass
class _Curve:
    """What a loader of held-out data gave.

    Args:
        losses: the means of its passes.
        times: how many training losses had been seen then.
        saves: how often the program had saved something then.
        place: where the loss is computed.
    """

    losses: list[float] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    saves: list[int] = field(default_factory=list)
    place: Place | None = None


class Watch(Detector):
    """Gathers the losses of passes."""

    PAUSES = frozenset({"loss"})

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._training: dict[str, list[float]] = {}
        """By name of the loss."""
        self._sums: dict[str, list[Any]] = {}
        """By name: of the evaluation pass that goes on, the sum, a tensor of ours, and how many."""
        self._passing = False
        """Whether a pass goes on: what is computed between two belongs to none."""
        self._places: dict[str, Place | None] = {}
        self._curves: ByIdentity[dict[str, _Curve]] = ByIdentity()
        self._held_out: ByIdentity[bool] = ByIdentity()
        self._saves = 0
        self._files: dict[str, int] = {}
        """By file, the number of the last time that something was saved there."""
        self._restored = False

    def on_epoch_began(self, event: Event) -> None:
        """A pass, perhaps an evaluation."""
        self._sums.clear()
        self._passing = True
        if event.subject not in self._held_out:
            self._held_out[event.subject] = is_held_out(names_of(event.subject, event.frame))

    def on_loss(self, event: Event) -> None:
        """A training loss in some steps; each of an evaluation, added up where it is."""
        result = event.result
        if result.requires_grad:
            if self.stream.sampled and result.numel() == 1:
                losses = self._training.setdefault(event.name, [])
                if len(losses) < _MOST:
                    losses.append(float(result.detach()))
            return
        if self._training and self._passing and result.numel() == 1:
            held = self._sums.get(event.name)
            if held is None:
                self._sums[event.name] = [result.detach().double(), 1]
                if event.name not in self._places:
                    self._places[event.name] = event.place
            else:
                held[0], held[1] = held[0] + result.detach(), held[1] + 1

    def on_epoch_ended(self, event: Event) -> None:
        """The mean of an evaluation."""
        loader, sums = event.subject, dict(self._sums)
        self._sums.clear()
        self._passing = False
        if loader is None or not sums or not event.epoch.evaluates or not self._held_out.get(loader):
            return
        self._restored = False
        curves = self._curves.setdefault(loader, {})
        for name, (total, count) in sums.items():
            curve = curves.setdefault(name, _Curve(place=self._places.get(name)))
            if len(curve.losses) < _MOST:
                curve.losses.append(float(total) / count)
                curve.times.append(len(self._training.get(name, ())))
                curve.saves.append(self._saves)

    def on_saved(self, event: Event) -> None:
        """Perhaps the best model."""
        self._saves += 1
        if len(self._files) < _MOST:
            self._files[str(event.file)] = self._saves

    def on_state_loaded(self, event: Event) -> None:
        """Perhaps the best model comes back."""
        self._restored = True

    def on_end(self, event: Event) -> None:
        """Judges each curve as a whole."""
        for curves in list(self._curves.values()):
            for name, curve in curves.items():
                self._judge(name, curve)

    def _judge(self, name: str, curve: _Curve) -> None:
        losses, training = curve.losses, self._training.get(name, [])
        best = losses.index(min(losses))
        if self._restored or not _rose(losses, best) or self._kept_best(curve, best):
            return
        before, after = training[: curve.times[best]][-_SAMPLES:], training[-_SAMPLES:]
        if len(training) - curve.times[best] < _SAMPLES or len(before) < _SAMPLES or min(training) < 0:
            return
        first, last = statistics.fmean(before), statistics.fmean(after)
        if last > _FALL * first:
            return
        self.found(
            f"The evaluation loss was lowest in pass {best + 1} of {len(losses)} ({losses[best]:.3g}) and "
            f"has risen to {losses[-1]:.3g}, while the training loss fell from {first:.3g} to {last:.3g}",
            why="since then the model has learned what is peculiar to the training samples: the last one is "
            "worse than the one of that pass",
            place=curve.place,
            fix="Keep the model of the best pass, stop there, or use more data, augmentation, weight decay.",
            cause=name,
            best_pass=best + 1,
            passes=len(losses),
            lowest=losses[best],
            last=losses[-1],
            training=[first, last],
        )

    def _kept_best(self, curve: _Curve, best: int) -> bool:
        """Whether a file was written for the last time between the best pass and the next."""
        return any(curve.saves[best] < number <= curve.saves[best + 1] for number in self._files.values())


def _rose(losses: list[float], best: int) -> bool:
    """Whether losses rose for long since the lowest one, and still did in the end."""
    since = losses[best + 1 :]
    if len(since) < _SINCE or losses[best] <= 0 or not all(loss < float("inf") for loss in losses):
        return False
    return since[-1] >= _RISE * losses[best] and statistics.fmean(since[-3:]) > statistics.fmean(since[:3])
