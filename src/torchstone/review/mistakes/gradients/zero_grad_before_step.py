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

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import clears, may_touch, stepped

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
