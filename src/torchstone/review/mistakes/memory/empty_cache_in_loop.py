"""The cache of GPU memory is emptied in every step.

## What it does
Reports `torch.cuda.empty_cache()` that runs for each batch of a training or evaluation loop.

## Why is this bad?
It gives no memory to PyTorch that it did not have: cached blocks are used again anyway, and tensors that are
still referred to stay. Each call waits for the device, and every following step asks the driver for its
memory again, which is slow.

## References
- [Memory management](https://docs.pytorch.org/docs/stable/notes/cuda.html#memory-management)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.syntax.devices import loader_behind
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.file import File
from torchstone.review.syntax.scopes import LoopNode
from torchstone.review.syntax.training import runs_once

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS702"
NAME = "empty-cache-in-loop"
SEVERITY: Severity = "warning"
MENTIONS = ("empty_cache",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
            torch.cuda.empty_cache()  # TS702
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(2):
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        torch.cuda.empty_cache()
    """,
)

_NAMES = frozenset(f"torch.{each}.empty_cache" for each in ("cuda", "mps", "xpu", "accelerator.memory"))
_GUARDS = (ast.If, ast.IfExp, ast.BoolOp, ast.ExceptHandler, ast.Match)


def check(file: File) -> Iterator[Finding]:
    """Looks at each call and the loop around it."""
    for call in file.index.calls_by_name.get("empty_cache", ()):
        if file.name(call.func) not in _NAMES:
            continue
        loop = _loop_around(file, call)
        if loop is not None and _is_of_batches(file, loop):
            yield _finding(file, call, loop)


def _loop_around(file: File, call: ast.Call) -> LoopNode | None:
    """The innermost loop that runs the call each time."""
    below: ast.AST = call
    for above in file.index.ancestors(call):
        if isinstance(above, LoopNode):
            return above if below in above.body else None
        if isinstance(above, (*_GUARDS, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            return None
        below = above
    return None


def _is_of_batches(file: File, loop: LoopNode) -> bool:
    """Whether each round of a loop is one batch: it draws from a loader, or itself goes back and steps.

    A loop that leaves that to a function may do a whole epoch, or play a game, in each of its rounds.
    """
    if isinstance(loop, ast.For):
        loader = loader_behind(file.frame_of(loop), loop.iter, (1, 0)) or loader_behind(
            file.frame_of(loop), loop.iter, ()
        )
        if loader is not None:
            return True
    kinds = set()
    for root in events(file):
        for seen in root:
            here = seen.event.frame.file is file and loop in file.index.ancestors(seen.event.node)
            if here and seen.loops and seen.loops[-1].node is loop and not runs_once(seen.loops[-1]):
                kinds.add(seen.event.kind)
    return {"backward", "step"} <= kinds


def _finding(file: File, call: ast.Call, loop: LoopNode) -> Finding:
    name = ast.unparse(call.func)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{name}()` runs for every batch: each time the device is waited for and its memory asked for anew",
        why="it frees nothing that the next step could not use anyway",
        fix=Fix("Leave it out, or call it where another program is to get the memory."),
        related=(file.related(loop, "this loop goes over batches"),),
    )


_STEPS = 8
"""In so many steps one after the other, none of them the first of a pass over a loader."""


class Watch(Detector):
    """Counts the steps after each of which the same line empties the cache."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._calls: dict[Place, tuple[int, int]] = {}

    def on_epoch_began(self, event: Event) -> None:
        """What is done once in an epoch is no matter."""
        self._calls.clear()

    def on_cache_emptied(self, event: Event) -> None:
        """Judges the line."""
        place, step = event.place, self.stream.step
        if place is None:
            return
        last, times = self._calls.get(place, (step - 1, 0))
        times = times + 1 if step == last + 1 else times if step == last else 1
        self._calls[place] = (step, times)
        if times >= _STEPS:
            self.found(
                f"`{event.subject}()` runs after every step: each time the device is waited for and its "
                "memory asked for anew",
                why="it frees nothing that the next step could not use anyway",
                place=place,
                fix="Leave it out, or call it where another program is to get the memory.",
                steps=times,
            )
