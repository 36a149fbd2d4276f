"""A gradient scaler whose steps are in the wrong order, by-passed or incomplete.

## What it does
Reports, where the loss is scaled by a `GradScaler`: a plain `optimizer.step()` after the scaled backward
pass, gradients clipped before `unscale_`, and a scaler that is never updated.

## Why is this bad?
The gradients are multiplied by the scale, 65536 at first. A plain step uses them so; clipping cuts them to a
65536th of what was meant; without `update()` the scale is never lowered after an overflow, and every
further step is skipped.

## References
- [Mixed precision examples](https://docs.pytorch.org/docs/stable/notes/amp_examples.html)
"""

from __future__ import annotations

import ast
import re
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.crashes import Crash
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, is_tensor
from torchstone.review.syntax.file import File
from torchstone.review.syntax.scopes import Scope

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS709"
NAME = "scaler-order"
SEVERITY: Severity = "error"
MENTIONS = ("scale", "backward")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cuda")
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            scaler.scale(loss).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # TS709
            scaler.step(optimizer)
            scaler.update()
        """
    ),
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cuda")
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)  # TS709
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    """,
)

_CLIPS = ("torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad_value_")

_TIMES = 2
"""Something is said when it was seen so often."""

_SCALED_LIMIT = 1000
"""A larger limit for gradients was multiplied by the scale."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each function that scales a loss and goes back from it."""
    calls = file.index.calls_by_name
    if "scale" not in calls or "backward" not in calls:
        return
    for backward in calls["backward"]:
        scaler = _scaler(file, backward)
        if scaler is None or _handed_on(file, scaler):
            continue
        yield from _bypassed(file, backward, scaler)
        yield from _clipped(file, backward, scaler)
        yield from _never_updated(file, backward, scaler)


def _scaler(file: File, backward: ast.Call) -> str | None:
    """The scaler in the code of `scaler.scale(loss).backward()`."""
    function = backward.func
    scaled = function.value if isinstance(function, ast.Attribute) else None
    if not (isinstance(scaled, ast.Call) and isinstance(scaled.func, ast.Attribute)):
        return None
    base = scaled.func.value
    value = file.value(base)
    if scaled.func.attr != "scale" or value is None or value.kind != "scaler" or not value.sure:
        return None
    return None if _switched_off(value.call) else ast.unparse(base)


def _switched_off(call: ast.Call | None) -> bool:
    return call is not None and any(
        word.arg == "enabled" and isinstance(word.value, ast.Constant) and not word.value.value
        for word in call.keywords
    )


def _handed_on(file: File, scaler: str) -> bool:
    """Whether others are given the scaler, or it goes under another name."""
    last = scaler.rsplit(".", 1)[-1]
    for call in file.index.calls():
        given = [*call.args, *(word.value for word in call.keywords)]
        if any(isinstance(a, ast.Name | ast.Attribute) and ast.unparse(a) == scaler for a in given):
            return True
    for node in file.index.nodes[ast.Assign]:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute):
            text = ast.unparse(node.value)
            if text == scaler or text.endswith(f".{last}"):
                return True
    return False


def _later(file: File, name: str, scope: Scope, start: int) -> list[ast.Call]:
    """Calls of that name in a function from a line on, in order."""
    found = [c for c in file.index.calls_by_name.get(name, ()) if file.index.scope_of(c) is scope]
    return sorted((c for c in found if c.lineno > start), key=lambda c: c.lineno)


def _block(file: File, node: ast.AST) -> object:
    """The list of statements that a node stands in."""
    statement = file.statement(node)
    parent = file.index.parents.get(statement)
    for field in ("body", "orelse", "finalbody"):
        body = getattr(parent, field, None)
        if isinstance(body, list) and statement in body:
            return (parent, field)
    return statement


def _is_scalers(call: ast.Call, scaler: str) -> bool:
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == scaler


def _unscales(file: File) -> bool:
    """Whether gradients are unscaled anywhere: then the rest is done by hand."""
    return "unscale_" in file.index.calls_by_name or "get_scale" in file.index.calls_by_name


def _bypassed(file: File, backward: ast.Call, scaler: str) -> Iterator[Finding]:
    if _unscales(file):
        return
    for step in _later(file, "step", file.index.scope_of(backward), backward.lineno):
        if _is_scalers(step, scaler):
            return
        base = step.func.value if isinstance(step.func, ast.Attribute) else None
        value = file.value(base) if base is not None else None
        if value is None or value.kind != "optimizer" or not value.sure or base is None:
            continue
        if _block(file, step) == _block(file, backward):
            name = ast.unparse(base)
            yield _finding(
                file,
                step,
                backward,
                f"`{name}.step()` by-passes `{scaler}`: it uses gradients that are still scaled up",
                Fix(f"Use `{scaler}.step({name})` and `{scaler}.update()`."),
            )
        return


def _clipped(file: File, backward: ast.Call, scaler: str) -> Iterator[Finding]:
    scope = file.index.scope_of(backward)
    steps = [s for s in _later(file, "step", scope, backward.lineno) if _is_scalers(s, scaler)]
    if not steps:
        return
    names = ("clip_grad_norm_", "clip_grad_value_")
    for clip in (c for name in names for c in _later(file, name, scope, backward.lineno)):
        if clip.lineno >= steps[0].lineno or file.name(clip.func) not in _CLIPS:
            continue
        unscaled = file.index.calls_by_name.get("unscale_", ())
        if any(file.index.scope_of(c) is not scope or c.lineno < clip.lineno for c in unscaled):
            continue  # it is unscaled before, or elsewhere where the order is not seen
        text = ast.unparse(clip.func).rsplit(".", 1)[-1]
        yield _finding(
            file,
            clip,
            backward,
            f"`{text}` clips gradients that are still multiplied by the scale of `{scaler}`",
            Fix(f"Call `{scaler}.unscale_(optimizer)` before it."),
        )


def _never_updated(file: File, backward: ast.Call, scaler: str) -> Iterator[Finding]:
    last = scaler.rsplit(".", 1)[-1]
    for update in file.index.calls_by_name.get("update", ()):
        if isinstance(update.func, ast.Attribute):
            text = ast.unparse(update.func.value)
            if text.rsplit(".", 1)[-1] == last:
                return
    scope = file.index.scope_of(backward)
    steps = [s for s in _later(file, "step", scope, backward.lineno) if _is_scalers(s, scaler)]
    if steps:
        yield _finding(
            file,
            steps[0],
            backward,
            f"`{scaler}.update()` is never called: the scale stays as it is, also after an overflow",
            Fix(f"Call `{scaler}.update()` after the step."),
        )


def _finding(file: File, node: ast.AST, backward: ast.Call, message: str, fix: Fix) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        message,
        why="scaled gradients are many thousand times too large until the scaler takes the scale out again",
        fix=fix,
        related=(file.related(backward, "the loss is scaled here"),),
    )


@dataclass
class _Turn:
    """What happened to the scaled gradients of an optimizer since they came.

    Args:
        unscaled: by the scaler, or by hand.
        clipped: where they were clipped before.
        versions: of some gradients when they came.
        clips: it was clipped so in so many steps.
        steps: it was stepped without the scaler so often.
    """

    scaled: bool = False
    unscaled: bool = False
    clipped: Place | None = None
    versions: list[Any] | None = None
    clips: int = 0
    steps: int = 0


class Watch(Detector):
    """Follows scaled gradients from their backward pass to the step."""

    AFTER = ("scaled",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._losses: dict[int, weakref.ref[Any]] = {}
        self._turns: ByIdentity[_Turn] = ByIdentity()
        self._scaling: weakref.ref[Any] | None = None

    def on_scaled(self, event: Event) -> None:
        """A loss is multiplied by the scale."""
        if event.subject.is_enabled() and is_tensor(event.result):
            self._losses = {id(event.result): weakref.ref(event.result)}

    def on_backward_ended(self, event: Event) -> None:
        """Whose gradients are scaled now."""
        if not self._losses:  # nothing was scaled yet
            return
        loss = self._losses.get(id(event.subject))
        scaled = loss is not None and loss() is event.subject
        for optimizer, account in list(self.gradients.accounts.items()):
            if account.gave == self.gradients.now:
                turn = self._turns.setdefault(optimizer, _Turn())
                turn.scaled, turn.unscaled, turn.clipped = scaled, False, None
                turn.versions = _versions(optimizer) if scaled else None

    def on_scaler(self, event: Event) -> None:
        """The scaler divides them, or steps."""
        turn = self._turns.get(event.optimizer) if event.optimizer is not None else None
        if turn is None:
            return
        if event.action == "unscale_":
            turn.unscaled = True
        elif event.action == "step":
            self._scaling = weakref.ref(event.optimizer)
            if turn.scaled and turn.clipped is not None:
                turn.clips += 1
                if turn.clips == _TIMES:
                    self._tell_clipped(event, turn.clipped)

    def on_clip_began(self, event: Event) -> None:
        """Clipped while they are scaled; a limit that was scaled too is meant."""
        if not isinstance(event.limit, int | float) or event.limit > _SCALED_LIMIT:
            return
        for optimizer, _ in self.gradients.owners(event.subject):
            turn = self._turns.get(optimizer)
            if turn is not None and turn.scaled and not turn.unscaled:
                if turn.versions == _versions(optimizer):
                    turn.clipped = event.place
                else:
                    turn.unscaled = True

    def on_step_began(self, event: Event) -> None:
        """Stepped by the scaler, or plainly."""
        optimizer = event.subject
        turn = self._turns.get(optimizer)
        by_scaler = self._scaling is not None and self._scaling() is optimizer
        if turn is None or not turn.scaled or turn.unscaled or by_scaler or turn.clipped is not None:
            return
        if turn.versions != _versions(optimizer):
            return
        turn.steps += 1
        if turn.steps == _TIMES:
            self.found(
                "The optimizer steps on gradients that are scaled: the loss was scaled, and `scaler.step` "
                "was not called",
                why="the gradients are as many times too large as the scale says",
                place=event.place,
                fix="Call `scaler.step(optimizer)` and `scaler.update()` instead.",
                optimizer=type(optimizer).__name__,
            )

    def on_step_ended(self, event: Event) -> None:
        """These gradients were used."""
        self._scaling = None
        turn = self._turns.get(event.subject)
        if turn is not None:
            turn.scaled = False

    def _tell_clipped(self, event: Event, place: Place) -> None:
        self.found(
            "Gradients are clipped while they are scaled",
            why="the limit is compared with gradients that are thousands of times too large, so that every "
            "step is clipped to nearly nothing",
            place=place,
            fix="Call `scaler.unscale_(optimizer)` before clipping.",
            related=((event.place, "the scaler divides them only here"),),
        )

    def on_crash(self, event: Event) -> None:
        """A missing `update` is noticed by the scaler itself."""
        crash = Crash(event.subject)
        if re.search(r"has already been called (?:on this optimizer )?since the last update\(\)", crash.text):
            self.found(
                f"The scaler was not updated: {crash.text}",
                why="`update()` ends the turn of each step, and makes the scale larger or smaller",
                place=crash.place,
                fix="Call `scaler.update()` once after the steps of each batch.",
            )


def _versions(optimizer: Any) -> list[Any]:
    """How often some gradients were changed."""
    held = [one.grad for group in optimizer.param_groups[:2] for one in group["params"][:4]]
    return [None if one is None else (id(one), one._version) for one in held]
