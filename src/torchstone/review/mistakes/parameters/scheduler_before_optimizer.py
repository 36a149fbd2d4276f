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

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.schedules import PLATEAU, has_schedules, optimizer_of, schedule_steps
from torchstone.review.syntax.training import inside, may_touch, receiver, stepped
from torchstone.review.syntax.values import Value

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
