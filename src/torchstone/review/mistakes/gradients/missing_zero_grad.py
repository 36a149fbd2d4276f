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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, is_module
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import has, inside, made_inside, may_touch, runs_once, stepped
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS101"
NAME = "missing-zero-grad"
SEVERITY: Severity = "error"
INVOLVES = ("backward", "step")

_WHY = "backward() adds to the gradients that are there"

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
    if any(_may_clear(target, optimizer) for target in zeros):
        return False
    # Another optimizer is cleared: only where this one is known, and cleared nowhere at all.
    everywhere = [each.event.target for each in seen if each.event.kind == "zero"]
    cleared = any(target is None or target.may_be(optimizer) for target in everywhere)
    return not zeros or (optimizer.sure and not cleared and _are_apart(optimizer, zeros))


def _may_clear(target: Value | None, optimizer: Value) -> bool:
    """Whether the optimizer's parameters may be cleared; nobody knows which ones a class of one's own has."""
    return target is None or target.kind != "optimizer" or target.cls is not None or target.may_be(optimizer)


def _are_apart(optimizer: Value, others: list[Value | None]) -> bool:
    """Whether what others clear is none of an optimizer's: each was made from the parameters of its model."""
    own = _model_of(optimizer)
    models = {other and _model_of(other) for other in others}
    return own is not None and None not in models and own not in models


def _model_of(optimizer: Value) -> str | None:
    """The model whose `parameters()` an optimizer was made from; None where it was made from others."""
    if optimizer.call is None or not optimizer.call.args:
        return None
    given = optimizer.call.args[0]
    if not (isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute)):
        return None
    return ast.unparse(given.func.value) if given.func.attr == "parameters" else None


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
        why=_WHY,
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
    if not same or not isinstance(statement, ast.Expr):
        return Fix(description)
    text = f"{name}.zero_grad()"
    if file.starts_line(statement):
        return Fix(description, safe=True, edits=(file.insert_line(statement, text),))
    place = file.insert_line(statement, text)  # beside others on its line
    return Fix(description, safe=True, edits=(replace(place, text=f"{text}; "),))


@dataclass
class _Gradient:
    """The gradient of one parameter that an optimizer steps on.

    Args:
        used: it was stepped on, and nothing was seen to clear it since.
        version: of it before the backward pass that is going on, where it is used and not zero.
        added: where a backward pass added to it though it was used.
        followed: it was seen at a step before.
        times: in how many steps.
    """

    used: bool = False
    version: int | None = None
    added: Place | None = None
    followed: bool = False
    times: int = 0


class Watch(Detector):
    """Looks whether a step uses a gradient that has parts from before the step before it."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._gradients: ByIdentity[_Gradient] = ByIdentity()

    @sampled
    def on_backward(self, event: Event) -> None:
        """Which used gradients are there before new ones come."""
        for optimizer, state in self._gradients.items():
            gradient = _probe(optimizer) if state.used else None
            if gradient is None or not bool(gradient.any()):
                state.used, state.version, state.added = False, None, None
                # One that is zero may be so by chance: that says nothing of the others.
                state.followed = state.followed and gradient is None
            else:
                state.version = gradient._version

    @sampled
    def on_backward_ended(self, event: Event) -> None:
        """Which of them were added to."""
        for optimizer, state in self._gradients.items():
            gradient = _probe(optimizer) if state.version is not None else None
            if gradient is not None and gradient._version != state.version:
                state.added = state.added or event.place
            state.version = None

    def on_cleared(self, event: Event) -> None:
        """`zero_grad` of an optimizer or of a module that has its parameters."""
        subject = event.subject
        of_module = is_module(subject)
        for optimizer, state in self._gradients.items():
            if subject is optimizer or (
                of_module and self.gradients.of(optimizer).shares(optimizer, subject)
            ):
                state.used, state.version, state.added = False, None, None

    def on_step_began(self, event: Event) -> None:
        """Judges the step, for its own optimizer."""
        state = self._gradients.setdefault(event.subject, _Gradient())
        state.times += state.added is not None
        if state.added is None or state.times < 2:
            self._agree(event, state)
            return
        self.found(
            "The optimizer steps on the gradients of earlier batches too: nothing cleared them after the "
            "step before",
            why=_WHY,
            place=event.place,
            fix="Call `zero_grad()` of the optimizer before the backward pass.",
            related=((state.added, "this added to gradients that were used already"),),
            optimizer=type(event.subject).__name__,
        )

    def _agree(self, event: Event, state: _Gradient) -> None:
        """Says whether the step has the gradients of new batches alone."""
        account = self.gradients.of(event.subject)
        if state.added is not None:
            self.doubt(event.place)
        elif self.stream.sampled and state.followed and not state.used and account.gave > account.stepped:
            self.right(event.place)

    def on_step_ended(self, event: Event) -> None:
        """What was used."""
        state = self._gradients.setdefault(event.subject, _Gradient())
        account = self.gradients.of(event.subject)
        # None that was cleared in another way is seen before the next backward pass.
        state.used, state.version, state.added = account.gave > account.cleared, None, None
        state.followed = True


def _probe(optimizer: Any) -> Any:
    """The gradient of the optimizer's smallest parameter that has one and is dense."""
    held = [parameter for group in optimizer.param_groups[:2] for parameter in group["params"][:8]]
    dense = [one for one in held if one.grad is not None and not one.grad.is_sparse]
    return min(dense, key=lambda one: one.numel()).grad if dense else None
