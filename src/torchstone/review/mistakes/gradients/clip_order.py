"""Gradients are clipped where it has no effect: before the backward pass, or after the step.

## What it does
Follows the order of events in a training step, and reports `clip_grad_norm_` and `clip_grad_value_` that
do not stand between the backward pass and the optimizer's step.

## Why is this bad?
Clipped before `backward()`, the gradients are empty or about to be added to; clipped after the step, they
have been used already. The step uses gradients of any size, and training that needs clipping diverges.

## References
- [clip_grad_norm_](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File

CODE = "TS111"
NAME = "clip-order"
SEVERITY: Severity = "error"
MENTIONS = ("clip_grad",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # TS111
        """
    ),
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # TS111
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
    for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    """,
)

_ORDERED = ("backward", "gradient", "update", "zero", "step", "opaque")


def check(file: File) -> Iterator[Finding]:
    """Looks at the events around each clipping."""
    if not any(name.startswith("clip_grad") for name in file.index.calls_by_name):
        return
    for seen in events(file):
        for clip in seen:
            if clip.event.kind != "clip" or clip.event.frame.file is not file:
                continue
            before, after = _around(clip, seen)
            if before is None or after is None:
                continue
            used = before.event.kind == "step" and after.event.kind in ("zero", "backward")
            early = before.event.kind in ("step", "zero") and after.event.kind == "backward"
            if used or early:
                yield _finding(file, clip, before, after, seen)


def _around(clip: Seen, seen: list[Seen]) -> tuple[Seen | None, Seen | None]:
    """What surely happens last before a clipping, and first after it; rounds of a loop follow each other."""
    loops = clip.loops
    here = [each for each in seen if each.loops[: len(loops)] == loops]
    if not loops and not clip.event.frame.scope.is_function and not clip.calls:
        return None, None  # a script's top level runs once
    position = here.index(clip)
    # The clipping itself comes round again, and so does what is before it.
    earlier = [*reversed(here[:position]), *reversed(here[position + 1 :])]
    later = [*here[position + 1 :], *here[:position]]
    return _first(earlier, clip), _first(later, clip)


def _first(candidates: list[Seen], clip: Seen) -> Seen | None:
    """The first event that matters, None when it may run or not, or several times."""
    for each in candidates:
        if each.event.kind in _ORDERED:
            sure = each.loops == clip.loops and each.branches == clip.branches[: len(each.branches)]
            return each if sure else None
    return None


def _finding(file: File, clip: Seen, before: Seen, after: Seen, seen: list[Seen]) -> Finding:
    node = clip.event.node
    name = ast.unparse(node.func).rsplit(".", 1)[-1] if isinstance(node, ast.Call) else "clipping"
    late = before.event.kind == "step" and seen.index(before) < seen.index(clip)
    if late:
        message = f"`{name}` comes after the step, which has used the gradients as they were"
        place, text = before, "this step uses unclipped gradients"
    else:
        message = f"`{name}` comes before the backward pass, which adds gradients of any size afterwards"
        place, text = after, "the gradients are computed here"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        message,
        why="clipping changes the gradients that are there, and only the next step uses them",
        fix=Fix("Clip between `backward()` and the optimizer's `step()`."),
        related=(place.event.frame.file.related(place.event.node, text),),
    )
