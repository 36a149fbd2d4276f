"""Gradients are cleared between the backward pass and the step that should use them.

## What it does
Follows the order of events through functions and methods, and reports a clearing of an optimizer's
gradients that comes after `backward()` and before its `step()`, with no other backward pass between.

## Why is this bad?
The step sees no gradient: parameters do not move (or move by momentum and weight decay alone). Nothing
fails.

## References
- [Optimizer.zero_grad](https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import has_no_gradient
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import clears, may_touch, stepped

if TYPE_CHECKING:
    from torchstone.review.gradients import Account
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS102"
NAME = "zero-grad-before-step"
SEVERITY: Severity = "error"
INVOLVES = ("backward", "step")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.zero_grad()  # TS102
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
    for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at what happens before each step."""
    for seen in events(file):
        for position, step in enumerate(seen):
            if step.event.kind == "step" and step.event.target is not None:
                lost = _lost(seen, position)
                if lost is not None:
                    yield _finding(file, step, *lost)


def _lost(seen: list[Seen], position: int) -> tuple[Seen, Seen] | None:
    """The clearing and the backward before a step, when they come in the wrong order."""
    step = seen[position]
    optimizer = step.event.target
    assert optimizer is not None  # noqa: S101 (asked by the caller)
    clearing: Seen | None = None
    for each in reversed(seen[:position]):
        if each.loops != step.loops or each.branches != step.branches:
            if each.event.kind in ("backward", "gradient", "update"):
                return None  # may run or not, or run several times
            if each.loops[: len(step.loops)] != step.loops:
                return None
            continue
        kind = each.event.kind
        if kind == "backward":
            return (clearing, each) if clearing is not None else None
        if kind in ("gradient", "update", "step"):
            return None
        if kind == "opaque" and may_touch(each, optimizer):
            return None
        if kind == "zero" and clears(each, optimizer) and clearing is None:
            clearing = each
    return None


def _finding(file: File, step: Seen, clearing: Seen, backward: Seen) -> Finding:
    name = stepped(step)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        clearing.place(file),
        f"gradients are cleared after the backward pass and before `{name}.step()`, which then has none",
        why="the parameters do not move",
        fix=Fix("Clear the gradients before the backward pass, or after the step."),
        related=(
            backward.event.frame.file.related(backward.event.node, "the gradients are computed here"),
            step.event.frame.file.related(step.event.node, "and should be used here"),
        ),
    )


class Watch(Detector):
    """Looks whether what a backward pass gave an optimizer is cleared before its step."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._times: ByIdentity[int] = ByIdentity()

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """Judges the step that was made."""
        gradients, optimizer = self.gradients, event.subject
        account = gradients.of(optimizer)
        lost = account.stepped_before < account.gave < account.cleared < account.began
        if not lost or gradients.now != account.stepped:
            return
        # Where a forward pass lies between, it is the step that came too early: TS104.
        if gradients.backward > account.gave or gradients.forward > account.gave:
            return
        if not has_no_gradient(optimizer):
            return
        times = self._times[optimizer] = self._times.get(optimizer, 0) + 1
        if times >= 2:
            self._tell(event, account)

    def _tell(self, event: Event, account: Account) -> None:
        self.found(
            "The gradients of the backward pass are cleared before the optimizer's step, which finds none",
            why="the parameters do not move, or move by momentum and weight decay alone",
            place=account.cleared_place,
            fix="Clear gradients before the backward pass, or after the step.",
            related=((account.gave_place, "these gradients are lost"), (event.place, "this step uses none")),
            optimizer=type(event.subject).__name__,
        )
