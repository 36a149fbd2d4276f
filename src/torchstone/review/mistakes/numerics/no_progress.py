"""The program trains and trains, and learns nothing.

## What it does
Compares some weights before and after a step, and reports an optimizer whose steps left all of them exactly
as they were, time after time, although their gradients were not zero and the rate was not either. Further
compares the training loss with that of always giving the one best answer: the classes' frequencies, or the
mean of the targets. Reports a loss that is no lower after three passes over the training data and 400 steps,
and does not fall any more, whether it lies flat or jumps up and down; one that falls a little each time, and
ever faster, is on its way. Only targets that come with the batch are looked at, and a loss that goes back by
itself, without others, to one optimizer whose rate does not grow any more: those of a GAN, and of what is
meant to be confused, stay where they are on purpose.

## Why is this bad?
A number can only be changed by what is not lost in rounding: about 1e-7 of it in float32, 1e-3 in float16 and
4e-3 in bfloat16. When the rate is too small for the type of the weights, each step is rounded away: the
program runs, and nothing is learned.

A model that is no better than one answer for all has not used its inputs yet. A flat loss comes of gradients
that do not arrive, of inputs that do not belong to the targets, of dead units; a loss that jumps, of a rate
that is too high.

## References
- [A recipe for training neural networks: input-independent baseline](https://karpathy.github.io/2019/04/25/recipe/)
- [CS231n: what the loss tells about the rate](https://cs231n.github.io/neural-networks-3/#loss)
- [Mixed precision training, a master copy of weights](https://arxiv.org/abs/1710.03740)
- [Revisiting BFloat16 training](https://arxiv.org/abs/2010.06192)
"""

from __future__ import annotations

import itertools
import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.baselines import Tally, constant_loss, tally
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import rate_of
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
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
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        torch.manual_seed(0)
        x = torch.randn(1024, 8)
        y = x.argmax(1)
        x = x[torch.randperm(1024)]  # and the labels are left as they were
        loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
        model = nn.Linear(8, 8)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for epoch in range(8):
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(inputs), targets)  # TS611
                loss.backward()
                optimizer.step()
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

_NONE = 1e-6
"""Gradients shorter than this are those of a loss that is met."""

_LONG = 400
_PASSES = 3
"""Nothing is said of a loss before so many steps and passes."""

_LOSSES = 12
"""So many looked at are judged together; they reach back over more than half of the steps."""

_NO_LOWER = 0.98
"""What has learned anything at all is lower than this share of the loss of one answer."""

_ANY = 0.02
"""Where one answer loses less than this, hardly anything is left to learn."""

_FALLS = 0.98
"""It falls when the later half of them is below this share of the earlier one."""

_JUMPS = 2.0
"""The highest of these losses is so many times the lowest."""

_NUMBERS = 64
"""So many first targets tell whether they came with the batch."""

_ALONE = ("Mul", "Div", "ToCopy")
"""Of operations between a loss and the backward pass these keep it what it is."""


@dataclass
class _Seen:
    """A loss that was looked at.

    Args:
        step: of the optimizer.
        loss: its value.
        targets: what they were, in short.
        rate: of the optimizer.
    """

    step: int
    loss: float
    targets: Tally
    rate: float


@dataclass
class _Line:
    """The losses of a line of the program.

    Args:
        place: the line.
        given: the targets: a tensor that is the same at each step; None where they come from a loader.
        optimizer: whose losses are gathered.
        passes: so many passes there had been before it.
        seen: the last losses.
        told: it was reported.
    """

    place: Any
    given: tuple[int, int] | None
    optimizer: int = 0
    passes: int = 0
    seen: deque[_Seen] = field(default_factory=lambda: deque(maxlen=_LOSSES))
    told: bool = False


class Watch(Detector):
    """Compares weights before and after steps that are looked at, and losses with those of one answer."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._updates = Updates()
        self._still: ByIdentity[int] = ByIdentity()
        self._lines: dict[Any, _Line] = {}
        self._batch: list[tuple[float, ...]] = []
        """The first numbers of each tensor of the batch."""
        self._loaded = False
        """Some batch came from a loader."""
        self._passes = 0
        self._waiting: tuple[_Line, int, float, Tally] | None = None
        """A loss that has not gone back yet, by the number of its operation."""

    @sampled
    def on_step_began(self, event: Event) -> None:
        """The weights before."""
        self._updates.began(event.subject)

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """Whether they are what they were, though they had gradients."""
        measured = self._updates.ended()
        if not measured:
            return
        optimizer = event.subject
        if any(moved != 0 or not gradient > _NONE for _, moved, gradient in measured):
            self._still[optimizer] = 0
            return
        times = self._still[optimizer] = self._still.get(optimizer, 0) + 1
        names = [self.names.parameter(weight) for weight, _, _ in measured]
        if times < _STEPS or None in names:
            return
        kind = str(measured[0][0].dtype).removeprefix("torch.")
        rate = rate_of(optimizer.param_groups[0])
        how = "" if rate is None else f" with a rate of {rate:g}"
        self.found(
            f"Steps{how} do not change `{names[0]}` at all: they are lost in the rounding of {kind}",
            why="nothing is learned",
            place=event.place,
            fix="Make the rate larger, or keep the weights in float32 and compute under autocast.",
            cause=id(optimizer),
            rate=rate,
            parameters=names,
        )

    @sampled
    def on_batch(self, event: Event) -> None:
        """What comes with the batch."""
        self._loaded = True
        parts = [part for _, part in event.samples.parts]
        self._batch = [_first(part) for part in parts]
        # The next words of a text are its words, shifted by one.
        self._batch += [_first(part[:, 1:]) for part in parts if part.dim() == 2]

    def on_epoch_ended(self, event: Event) -> None:
        """A pass over the training data."""
        self._passes += event.epoch.trains

    @sampled
    def on_loss(self, event: Event) -> None:
        """A loss of targets that are data."""
        self._waiting = None
        if not event.result.requires_grad or event.result.numel() != 1:
            return
        given = None if self._loaded else (id(event.targets), event.targets._version)
        place = event.place
        line = self._lines.get(place)
        if line is None:
            line = self._lines[place] = _Line(place, given)
        if line.told or line.given != given or (self._loaded and _first(event.targets) not in self._batch):
            return
        targets = tally(event)
        if targets is not None:
            number = event.result.grad_fn._sequence_nr()
            self._waiting = line, number, float(event.result.detach()), targets

    @sampled
    def on_backward(self, event: Event) -> None:
        """It goes back, and alone."""
        waiting, self._waiting = self._waiting, None
        accounts = self.gradients.each()
        if waiting is None or len(accounts) != 1 or not _is_alone(event.subject, waiting[1]):
            return
        line, _, loss, targets = waiting
        (optimizer, account) = accounts[0]
        if line.optimizer != id(optimizer):
            line.optimizer, line.passes = id(optimizer), self._passes
            line.seen.clear()
        rates = [rate_of(group) for group in optimizer.param_groups]
        rate = sum(1.0 if one is None else one for one in rates)
        line.seen.append(_Seen(account.steps, loss, targets, rate))
        passes = self._passes - line.passes if self._loaded else account.steps
        if len(line.seen) == _LOSSES and account.steps >= _LONG and passes >= _PASSES:
            self._judge(line, passes)

    def _judge(self, line: _Line, passes: int) -> None:
        seen = list(line.seen)
        if 2 * seen[0].step > seen[-1].step or seen[-1].rate > seen[0].rate or not seen[-1].rate:
            return
        least = constant_loss([each.targets for each in seen])
        losses = [each.loss for each in seen]
        mean = statistics.fmean(losses)
        if least is None or not least > _ANY or not _NO_LOWER * least <= mean < float("inf"):
            return
        if statistics.fmean(losses[_LOSSES // 2 :]) < _FALLS * statistics.fmean(losses[: _LOSSES // 2]):
            return
        if _gathers_speed(seen):
            return
        if sum(loss >= _NO_LOWER * least for loss in losses) < _LOSSES // 3:
            return  # a few that are far off
        line.told = True
        jumps = max(losses) > _JUMPS * min(losses)
        if jumps and any(finding.code == "TS511" for finding in self.watcher.findings):
            return  # the rate was found already
        how = f"jumps between {min(losses):.3g} and {max(losses):.3g}" if jumps else f"stays at {mean:.3g}"
        self.found(
            f"After {seen[-1].step} steps ({passes} passes) the training loss {how}: always giving the same "
            f"answer would lose {least:.3g}",
            why="the model has not learned to use its inputs at all",
            place=line.place,
            fix="Make the rate smaller."
            if jumps
            else "Look whether inputs belong to their targets and gradients arrive; try another rate, and "
            "`torchstone watch --overfit-batch`.",
            cause=line.place,
            losses=[float(f"{loss:.4g}") for loss in losses],
            constant=least,
            passes=passes,
        )


def _gathers_speed(seen: list[_Seen]) -> bool:
    """Whether a loss is lower each time, and falls faster than before: it leaves a plateau."""
    first, middle, last = seen[0], seen[len(seen) // 2], seen[-1]
    if any(after.loss >= before.loss for before, after in itertools.pairwise(seen)):
        return False
    earlier = (first.loss - middle.loss) / max(1, middle.step - first.step)
    return (middle.loss - last.loss) / max(1, last.step - middle.step) > earlier


def _first(tensor: Any) -> tuple[float, ...]:
    """The first numbers of a tensor."""
    if tensor.is_sparse or tensor.is_meta or tensor.is_quantized:
        return ()
    return tuple(tensor.detach().reshape(-1)[:_NUMBERS].tolist())


def _is_alone(tensor: Any, number: int) -> bool:
    """Whether a backward pass begins at the operation of a number, or at a multiple of it."""
    node = getattr(tensor, "grad_fn", None)
    while node is not None and node._sequence_nr() != number:
        behind = [one for one, _ in node.next_functions if one is not None]
        node = behind[0] if node.name().startswith(_ALONE) and len(behind) == 1 else None
    return node is not None
