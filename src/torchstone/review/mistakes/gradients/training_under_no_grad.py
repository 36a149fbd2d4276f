"""The forward pass that training goes back through runs without recording gradients.

## What it does
Follows a loss from its backward pass to the forwards that it comes from, and reports them when all run
under `torch.no_grad()` or `torch.inference_mode()`.

## Why is this bad?
Nothing is recorded, so `backward()` stops with "does not require grad", or, where the loss was made to
require gradients, reaches no parameter: the model stays as it was initialised.

## References
- [no_grad](https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.gradients import Source, gradient_sources
from torchstone.review.syntax.training import loss_of

if TYPE_CHECKING:
    from torchstone.review.gradients import Pass
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS108"
NAME = "training-under-no-grad"
SEVERITY: Severity = "error"
MENTIONS = ("backward", "no_grad|inference_mode|set_grad_enabled")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            optimizer.zero_grad()
            with torch.no_grad():
                output = model(x)  # TS108
            loss = nn.functional.mse_loss(output, y)
            loss.backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    features = nn.Linear(4, 4)
    head = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
        optimizer.zero_grad()
        with torch.no_grad():
            hidden = features(x)
        loss = nn.functional.mse_loss(head(hidden), y)
        loss.backward()
        optimizer.step()
    """,
)

_SWITCHES = ("no_grad", "inference_mode", "set_grad_enabled")


def check(file: File) -> Iterator[Finding]:
    """Looks at the forwards behind each backward."""
    if not any(word in file.source.text for word in _SWITCHES) or "backward" not in file.source.text:
        return
    done: set[int] = set()
    for seen in events(file):
        recording: dict[int, set[str]] = {}
        for each in seen:
            if each.event.kind == "forward":
                recording.setdefault(id(each.event.node), set()).add(each.recording)
        if not any("off" in kinds for kinds in recording.values()):
            continue
        for each in seen:
            if each.event.kind != "backward" or any(s.event.kind == "gradient" for s in seen):
                continue
            forward = _unrecorded(each, recording)
            if forward is not None and id(forward.node) not in done:
                done.add(id(forward.node))
                yield _finding(file, forward, each, seen)


def _unrecorded(backward: Seen, recording: dict[int, set[str]]) -> Source | None:
    """The first of the forwards behind a loss, when none of them is recorded."""
    loss = loss_of(backward)
    found = gradient_sources(backward.event.frame, loss) if loss is not None else None
    if not found:
        return None
    forwards = [source for source in found if source.kind == "forward"]
    if not forwards or any(source.kind == "leaf" for source in found):
        return None
    if all(recording.get(id(source.node)) == {"off"} for source in forwards):
        return forwards[0]
    return None


def _finding(file: File, forward: Source, backward: Seen, seen: list[Seen]) -> Finding:
    place = next(each for each in seen if each.event.node is forward.node).place(file)
    name = ast.unparse(forward.node.func) if isinstance(forward.node, ast.Call) else "the model"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        place,
        f"`{name}` runs without recording gradients, and training goes back through its output",
        why="no gradient reaches the parameters",
        fix=Fix("Run the forward pass of training outside of `no_grad` and `inference_mode`."),
        related=(backward.event.frame.file.related(backward.event.node, "the backward pass"),),
    )


_TIMES = 3
"""So often a loss without a history is told, where it does not end the program."""


class Watch(Detector):
    """Looks whether the modules behind a loss that has no history ran without recording gradients."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._times = 0
        self._suspect: tuple[Pass, Place | None] | None = None

    @sampled
    def on_backward(self, event: Event) -> None:
        """Judges the modules that were called since the last backward pass."""
        self._suspect = None
        loss = event.subject
        if getattr(loss, "grad_fn", True) is not None:
            return
        passes = [each for each in self.gradients.passes if each.learns]
        unrecorded = [each for each in passes if not each.recording]
        if not unrecorded or any(each.attached for each in passes):
            return
        roots = [each for each in unrecorded if each.root]
        self._suspect = (roots or unrecorded)[-1], event.place
        if loss.requires_grad:  # made to, so that backward runs and reaches nothing
            self._times += 1
            if self._times >= _TIMES:
                self._tell(*self._suspect)

    def on_crash(self, event: Event) -> None:
        """A loss without a history ends the program."""
        if self._suspect is not None and "does not require grad" in str(event.subject):
            self._tell(*self._suspect)

    def _tell(self, forward: Pass, backward: Place | None) -> None:
        module = forward.module()
        name = "the module" if module is None else f"`{self.names.module(module)}`"
        self.found(
            f"The loss has no gradient: {name} was called without recording gradients",
            why="the backward pass reaches no parameter, so nothing is learned",
            place=forward.place,
            fix="Call the module outside of `torch.no_grad()` or `torch.inference_mode()`.",
            related=((backward, "this backward pass has nothing to go back through"),),
        )
