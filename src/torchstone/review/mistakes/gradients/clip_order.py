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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File

if TYPE_CHECKING:
    from torchstone.review.gradients import Account
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

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


_TIMES = 2
"""So often clipping had no effect, and never any, at a place."""

_NO_LIMIT = 1e4
"""Clipping to so large a norm is a way to measure it."""


@dataclass(eq=False)
class _Clip:
    """Clipping at one place, for one optimizer's parameters.

    Args:
        place: of it.
        after: it came after the step, else before the backward pass.
        time: when it was seen last; 0 when it was judged.
        futile: how often it had no effect.
    """

    place: Place
    after: bool = False
    time: int = 0
    futile: int = 0


class Watch(Detector):
    """Looks whether what is clipped is ever what a step uses."""

    AFTER = ("clipped",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._clips: ByIdentity[dict[Place, _Clip]] = ByIdentity()
        self._useful: set[Place] = set()

    @sampled
    def on_clipped(self, event: Event) -> None:
        """Which gradients are there to be clipped."""
        limit = event.limit
        if not isinstance(limit, int | float) or limit >= _NO_LIMIT:
            return
        place = event.place
        if place is None or place in self._useful:
            return
        for optimizer, account in self.gradients.owners(event.subject):
            used = 0 < account.gave <= account.stepped and account.cleared <= account.stepped
            if not used and (account.gave > account.cleared or not _nothing(event.subject)):
                self._useful.add(place)
                return
            clip = self._clips.setdefault(optimizer, {}).setdefault(place, _Clip(place))
            clip.after, clip.time = used, self.gradients.now

    def on_cleared(self, event: Event) -> None:
        """Clipped after the step, and cleared before the next one."""
        for optimizer, clips in list(self._clips.items()):
            account = self.gradients.of(optimizer)
            if account.cleared == self.gradients.now:
                self._judge(clips, account, after=True)

    def on_step_began(self, event: Event) -> None:
        """Clipped before the backward pass, whose gradients are used as they are."""
        clips, account = self._clips.get(event.subject), self.gradients.of(event.subject)
        if clips:
            self._judge(clips, account, after=False)

    def _judge(self, clips: dict[Place, _Clip], account: Account, after: bool) -> None:
        for clip in clips.values():
            if not clip.time or clip.after != after:
                continue
            futile = account.stepped <= clip.time if after else clip.time < account.gave
            clip.futile += futile
            clip.time = 0
            if clip.futile >= _TIMES and clip.place not in self._useful:
                self._tell(clip, account)

    def _tell(self, clip: _Clip, account: Account) -> None:
        when = (
            "after the step that used them" if clip.after else "before the backward pass that computes them"
        )
        self.found(
            f"Gradients are clipped {when}",
            why="the step uses gradients of any size: clipping has no effect",
            place=clip.place,
            fix="Clip between the backward pass and the optimizer's step.",
            related=((account.gave_place, "the gradients are computed here"),),
        )


def _nothing(parameters: list[Any]) -> bool:
    """Whether there is nothing to clip; waits for the device."""
    return not any(one.grad is not None and bool(one.grad.any()) for one in parameters)
