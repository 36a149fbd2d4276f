"""A scheduler steps before the optimizer has, so the first value of the schedule is skipped.

## What it does
Follows a training loop through functions and methods, and reports a scheduler's `step()` that comes before
the first step of its optimizer in the same loop.

## Why is this bad?
Since PyTorch 1.1 a scheduler has set the first rate when it is made, and each `step()` sets the next one.
Called first, it moves on before the first rate was ever used: warm-ups begin late, milestones come one
epoch early. PyTorch says so in a warning that is easily lost.

## References
- [How to adjust learning rate](https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.gradients import rate_of
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, Identities
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.schedules import PLATEAU, has_schedules, optimizer_of, schedule_steps
from torchstone.review.syntax.training import inside, may_touch, receiver, stepped
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS507"
NAME = "scheduler-before-optimizer"
SEVERITY: Severity = "error"
MENTIONS = ("step", "chedul")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10)
        for epoch in range(30):
            scheduler.step()  # TS507
            for x, y in [(torch.randn(8, 4), torch.randn(8, 1))]:
                loss = nn.functional.mse_loss(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10)
    for epoch in range(30):
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))]:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each step of a scheduler in a loop."""
    if not has_schedules(file):
        return
    for seen, position in schedule_steps(file):
        step = _first_step(seen, position)
        if step is not None:
            yield _finding(file, seen[position], step)


def _first_step(seen: list[Seen], position: int) -> Seen | None:
    """The optimizer's first step, when it surely comes after the scheduler's."""
    here = seen[position]
    scheduler = here.event.target
    if scheduler is None or not here.loops or not _counts_by_itself(here, scheduler):
        return None
    optimizer = optimizer_of(scheduler)
    if optimizer is None or not optimizer.sure or len(optimizer.keys) != 1:
        return None
    loop = here.loops[-1]
    if _conditional(here, loop) or any(_may_step(each, optimizer) for each in seen[:position]):
        return None
    after = [each for each in inside(loop, seen[position + 1 :]) if each.event.kind == "step"]
    return next((each for each in after if optimizer.may_be(each.event.target)), None)


def _counts_by_itself(here: Seen, scheduler: Value) -> bool:
    """Whether the scheduler is torch's, takes no metric and is not told the epoch."""
    node = here.event.node
    told = bool(getattr(node, "args", ())) or bool(getattr(node, "keywords", ()))
    name = scheduler.name or ""
    return scheduler.cls is None and scheduler.sure and name not in ("", PLATEAU) and not told


def _conditional(here: Seen, loop: Loop) -> bool:
    """Whether something in the loop decides if the scheduler steps (`if epoch > 0`)."""
    around = set(loop.frame.file.index.ancestors(loop.node))
    return any(branch.node not in around for branch, _ in here.branches)


def _may_step(each: Seen, optimizer: Value) -> bool:
    if each.event.kind == "step":
        target = each.event.target
        return target is None or target.may_be(optimizer)
    return each.event.kind == "opaque" and may_touch(each, optimizer)


def _finding(file: File, here: Seen, step: Seen) -> Finding:
    name, optimizer = receiver(here.event.node), stepped(step)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        here.place(file),
        f"`{name}.step()` comes before the first `{optimizer}.step()`: the first learning rate is never used",
        why="a scheduler sets its first rate when it is made, and each step() the next one",
        fix=Fix(f"Call `{name}.step()` after `{optimizer}.step()`."),
        related=(step.event.frame.file.related(step.event.node, "the optimizer steps only here"),),
    )


@dataclass
class _Order:
    """How a scheduler and its optimizer take turns.

    Args:
        first: the rate that it began with.
        place: where it was first stepped; None before, and once it is known to be right.
        steps: of its optimizer when it was last stepped.
        times: it was stepped there before its optimizer.
    """

    first: float
    place: Place | None = None
    steps: int = 0
    times: int = 0
    judged: bool = False


class Watch(Detector):
    """Looks for a scheduler that takes its turn before its optimizer, from the first step on."""

    AFTER = ("schedule_made",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._orders: ByIdentity[_Order] = ByIdentity()
        self._scaled: Identities = Identities()

    def on_schedule_made(self, event: Event) -> None:
        """What the first rate is."""
        first = rate_of(event.optimizer.param_groups[0])
        if first is not None:
            self._orders[event.subject] = _Order(first)

    def on_scaler(self, event: Event) -> None:
        """A scaler may leave out the first steps."""
        if event.action == "step" and event.optimizer is not None:
            self._scaled.add(event.optimizer)

    def on_schedule(self, event: Event) -> None:
        """Judges the third turn; a schedule that is wound forward, or moves more often, has others."""
        order = self._orders.get(event.subject)
        optimizer = getattr(event.subject, "optimizer", None)
        if order is None or order.judged or optimizer is None:
            return
        steps = self.gradients.of(optimizer).steps
        if order.place is None:
            self._agree(event, steps)
        right = steps > 0 if order.place is None else steps == order.steps or event.place != order.place
        if right or event.metric is not None or optimizer in self._scaled or not order.first:
            order.judged = True
            return
        order.place, order.steps, order.times = event.place, steps, order.times + 1
        if order.times < 3 or order.place is None:
            return
        order.judged = True
        self.found(
            f"The scheduler is stepped before the optimizer: the first rate, {order.first:g}, was never used",
            why="each rate comes one step too early, and the first value of the schedule is skipped",
            place=order.place,
            fix="Step the scheduler after the optimizer.",
            scheduler=type(event.subject).__name__,
            first_rate=order.first,
        )

    def _agree(self, event: Event, steps: int) -> None:
        """Says whether the optimizer had its turn before the scheduler's first."""
        if steps:
            self.right(event.place, 1)
        else:
            self.doubt(event.place)
