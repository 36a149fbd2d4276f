"""Gradients are never cleared, so each step uses the sum of all batches before it.

## What it does
Follows a training loop through functions, methods and helpers, and reports an optimizer that steps in it
after a backward pass when nothing in the loop clears gradients.

## Why is this bad?
`backward()` adds to the gradients that are there. Without `optimizer.zero_grad()` the gradient of every
earlier batch stays in the sum: steps grow, point in old directions, and training diverges or ends far
from where it could. Nothing fails.

## References
- [Zeroing out gradients](https://docs.pytorch.org/tutorials/recipes/recipes/zeroing_out_gradients.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import has, inside, made_inside, may_touch, runs_once, stepped

CODE = "TS101"
NAME = "missing-zero-grad"
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
            optimizer.step()  # TS101
        """,
        fixed="""
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
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, (x, y) in enumerate([(torch.randn(8, 4), torch.randn(8, 1))] * 4):
        loss = nn.functional.mse_loss(model(x), y) / 2
        loss.backward()
        if (step + 1) % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each optimizer step in a loop."""
    for seen in events(file):
        for step in seen:
            if step.event.kind == "step" and step.loops and step.event.target is not None:
                loop = step.loops[-1]
                if _piles_up(step, loop, seen):
                    yield _finding(file, step, loop, inside(loop, seen))


def _piles_up(step: Seen, loop: Loop, seen: list[Seen]) -> bool:
    """Whether a backward in the loop adds to gradients that nothing clears."""
    optimizer = step.event.target
    if optimizer is None or optimizer.kind != "optimizer" or made_inside(optimizer, loop) or runs_once(loop):
        return False
    here = inside(loop, seen)
    if not has(here, "backward") or has(here, "gradient"):
        return False
    if any(each.event.kind == "opaque" and may_touch(each, optimizer) for each in here):
        return False
    zeros = [each.event.target for each in here if each.event.kind == "zero"]
    if any(target is None or target.kind != "optimizer" or target.may_be(optimizer) for target in zeros):
        return False
    # Another optimizer is cleared: only where this one is known, and cleared nowhere at all.
    everywhere = [each.event.target for each in seen if each.event.kind == "zero"]
    cleared = any(target is None or target.may_be(optimizer) for target in everywhere)
    return not zeros or (optimizer.sure and optimizer.call is not None and not cleared)


def _finding(file: File, step: Seen, loop: Loop, here: list[Seen]) -> Finding:
    name = stepped(step)
    backward = next(each for each in here if each.event.kind == "backward")
    place = step.place(file)
    related = [backward.event.frame.file.related(backward.event.node, "gradients are added here")]
    related.append(loop.frame.file.related(loop.node, "and are never cleared in this loop"))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        place,
        f"`{name}` steps on the gradients of all earlier batches too: nothing in the loop clears them",
        why="backward() adds to the gradients that are there",
        fix=_fix(file, step, backward, name),
        related=tuple(related),
    )


def _fix(file: File, step: Seen, backward: Seen, name: str) -> Fix | None:
    description = f"Call `{name}.zero_grad()` before the backward pass."
    frame = backward.event.frame
    if frame.file is not file or frame is not step.event.frame or not name:
        return Fix(description)
    statement = file.statement(backward.event.node)
    same = file.index.parents[statement] is file.index.parents[file.statement(step.event.node)]
    if not same or not isinstance(statement, ast.Expr) or not file.starts_line(statement):
        return Fix(description)
    return Fix(description, safe=True, edits=(file.insert_line(statement, f"{name}.zero_grad()"),))
