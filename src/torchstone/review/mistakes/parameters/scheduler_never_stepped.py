"""A scheduler is made and never stepped.

## What it does
Reports a learning rate scheduler whose name is never used again, or only to be saved and read, where its
optimizer steps.

## Why is this bad?
The learning rate stays at its first value (for a warm-up at a small part of it). Nothing fails.

## References
- [How to adjust learning rate](https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate)
"""

from __future__ import annotations

import ast
import re
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.file import File
from torchstone.review.syntax.scopes import Scope
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS508"
NAME = "scheduler-never-stepped"
SEVERITY: Severity = "warning"
MENTIONS = ("step", "lr_scheduler")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10)  # TS508
        for epoch in range(30):
            loss = nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1))
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
        loss = nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    """,
)

_READING = {"state_dict", "load_state_dict", "get_last_lr", "get_lr"}

_EPOCHS = 3
"""A schedule may begin late: after fewer epochs nothing is said."""

_MOST = 1000
"""So many schedulers are followed."""

_MANY = 64
"""Of so many schedulers those are forgotten that are gone."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each scheduler that an assignment names."""
    if "lr_scheduler" not in file.source.text or "step" not in file.index.calls_by_name:
        return
    if not file.source.complete or not _steps_an_optimizer(file):
        return
    for node in file.index.nodes[ast.Assign]:
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.value, ast.Call):
            continue
        value = file.value(node.value)
        if (
            value is None
            or value.kind != "scheduler"
            or value.cls is not None
            or value.call is not node.value
        ):
            continue
        if _is_unused(file, node, node.targets[0]):
            yield _finding(file, node, value)


def _steps_an_optimizer(file: File) -> bool:
    for call in file.index.calls_by_name["step"]:
        value = file.value(call.func.value) if isinstance(call.func, ast.Attribute) else None
        if value is not None and value.kind == "optimizer":
            return True
    return False


def _is_unused(file: File, node: ast.Assign, target: ast.expr) -> bool:
    """Whether nothing can step what an assignment names: no use of the name, in a function that steps."""
    if not isinstance(target, ast.Name):
        return False  # an attribute may be stepped by any file
    scope = file.index.scope_of(node)
    if target.id in scope.outer or _shares_names(file, scope):
        return False
    uses = [
        use
        for use in file.index.nodes[ast.Name]
        if isinstance(use, ast.Name) and use.id == target.id and isinstance(use.ctx, ast.Load)
    ]
    return all(_only_reads(file, use) for use in uses) and _trains(file, scope)


def _shares_names(file: File, scope: Scope) -> bool:
    """Whether names may be used where reading cannot see it."""
    calls = file.index.calls_by_name
    if any(name in calls for name in ("locals", "globals", "vars", "exec", "eval_str")):
        return True
    return not scope.is_function and bool(file.project.importers(file))


def _only_reads(file: File, use: ast.Name) -> bool:
    parent = file.index.parents[use]
    return isinstance(parent, ast.Attribute) and parent.attr in _READING


def _trains(file: File, scope: Scope) -> bool:
    """Whether the function that makes the scheduler itself loops over steps, or gives the optimizer away."""
    return any(
        isinstance(node, ast.For | ast.While) and (file.index.scope_of(node) is scope)
        for kind in (ast.For, ast.While)
        for node in file.index.nodes[kind]
    )


def _is_switched_off(file: File, name: str, scheduler: Value) -> bool:
    """Whether its step was made a comment: somebody tried without; some schedules set the rate at once."""
    sets_the_rate = any(word in (scheduler.name or "") for word in ("OneCycle", "Cyclic", "Lambda", "Linear"))
    made_comment = re.search(rf"^[ \t]*#.*\b{re.escape(name)}\.step\(", file.source.text, re.MULTILINE)
    return made_comment is not None and not sets_the_rate


def _finding(file: File, node: ast.Assign, scheduler: Value) -> Finding:
    name = ast.unparse(node.targets[0])
    return file.finding(
        CODE,
        NAME,
        "advice" if _is_switched_off(file, name, scheduler) else SEVERITY,
        node,
        f"`{name}` is made and never stepped",
        why="the learning rate stays where the schedule begins",
        fix=Fix(f"Call `{name}.step()` after the optimizer's steps, or leave the scheduler out."),
    )


@dataclass(eq=False)
class _Made:
    """A scheduler that was made.

    Args:
        kind: its class.
        place: where.
        steps: of its optimizer since.
        epochs: of loaders that ended, with steps in them.
        moved: it was stepped, by the program or by another scheduler.
    """

    kind: str
    place: Place | None
    steps: int = 0
    epochs: int = 0
    moved: bool = False

    def is_wrong(self) -> bool:
        """Whether it should have been stepped."""
        return not self.moved and self.epochs >= _EPOCHS and self.place is not None


class Watch(Detector):
    """Looks for schedulers that were never stepped in a training of several epochs."""

    AFTER = ("schedule_made",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._schedulers: ByIdentity[_Made] = ByIdentity()
        self._optimizers: ByIdentity[list[_Made]] = ByIdentity()
        self._made: list[tuple[weakref.ref[Any], _Made]] = []
        """With their optimizers."""
        self._stepped: list[_Made] = []

    def on_schedule_made(self, event: Event) -> None:
        """A scheduler of torch's own; what another class does in its `step` is not seen."""
        scheduler = event.subject
        for part in getattr(scheduler, "_schedulers", ()):
            if part in self._schedulers:
                self._schedulers[part].moved = True
        if type(scheduler).__module__ != "torch.optim.lr_scheduler":
            return
        if len(self._made) >= _MANY:
            self._let_go()
        if len(self._made) >= _MOST:
            return
        made = _Made(type(scheduler).__name__, event.place)
        self._made.append((weakref.ref(event.optimizer), made))
        self._schedulers[scheduler] = made
        self._optimizers.setdefault(event.optimizer, []).append(made)

    def _let_go(self) -> None:
        """Forgets what was right and is over, as in a search over many models."""
        wrong = {made.place: made for _, made in self._made if made.is_wrong()}
        self._made = [
            (optimizer, made)
            for optimizer, made in self._made
            if optimizer() is not None or wrong.get(made.place) is made
        ]

    def on_schedule(self, event: Event) -> None:
        """It moves."""
        for scheduler in (event.subject, *getattr(event.subject, "_schedulers", ())):
            made = self._schedulers.get(scheduler)
            if made is not None:
                made.moved = True

    def on_step_ended(self, event: Event) -> None:
        """Its optimizer is used."""
        for made in self._optimizers.get(event.subject, ()):
            made.steps += 1
            if not made.moved and made not in self._stepped:
                self._stepped.append(made)

    def on_epoch_ended(self, event: Event) -> None:
        """An epoch with steps is over."""
        for made in self._stepped:
            made.epochs += 1
        self._stepped.clear()

    def on_end(self, event: Event) -> None:
        """Judges what was never stepped."""
        for _, made in self._made:
            if made.is_wrong():
                self.found(
                    f"`{made.kind}` was never stepped in {made.epochs} epochs: the rate stayed what it was",
                    why="a schedule moves only when its `step()` is called",
                    place=made.place,
                    fix="Call its `step()` at the end of each epoch, or after each batch, as it counts.",
                    scheduler=made.kind,
                    steps=made.steps,
                    epochs=made.epochs,
                )
