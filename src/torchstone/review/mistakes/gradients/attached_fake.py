"""One network's step uses gradients that the other network's loss left in it.

## What it does
Follows the gradients of each backward pass in a loop with two optimizers to the networks that they reach, and
reports an optimizer that steps on gradients of a loss that was meant for the other: the discriminator's loss
on a fake that was not detached, or the generator's loss that went back through the discriminator. Gradients
that are cleared before the network's own backward pass do no harm and are not reported.

## Why is this bad?
The discriminator's loss pulls the generator towards fakes that are easy to tell, the opposite of what the
generator's own loss asks for, and both are added up. The networks train against themselves, and what looks
like an unstable GAN is a wrong gradient.

## References
- [DCGAN tutorial](https://docs.pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import parameters
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.gradients import gradient_sources
from torchstone.review.syntax.training import (
    clears,
    inside,
    loss_of,
    may_touch,
    optimized_models,
    receiver,
    stepped,
)
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS115"
NAME = "attached-fake"
SEVERITY: Severity = "warning"
MENTIONS = ("step",)
INVOLVES = ("backward",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        generator, critic = nn.Linear(2, 4), nn.Linear(4, 1)
        optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-4)
        optimizer_d = torch.optim.Adam(critic.parameters(), lr=1e-4)
        loss_of = nn.BCEWithLogitsLoss()
        ones, zeros = torch.ones(8, 1), torch.zeros(8, 1)
        for real in [torch.randn(8, 4)] * 3:
            optimizer_g.zero_grad()
            optimizer_d.zero_grad()
            fake = generator(torch.randn(8, 2))
            loss_d = loss_of(critic(real), ones) + loss_of(critic(fake), zeros)
            loss_d.backward(retain_graph=True)
            optimizer_d.step()
            loss_g = loss_of(critic(generator(torch.randn(8, 2))), ones)
            loss_g.backward()
            optimizer_g.step()  # TS115
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    generator, critic = nn.Linear(2, 4), nn.Linear(4, 1)
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-4)
    optimizer_d = torch.optim.Adam(critic.parameters(), lr=1e-4)
    loss_of = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(8, 1), torch.zeros(8, 1)
    for real in [torch.randn(8, 4)] * 3:
        optimizer_g.zero_grad()
        optimizer_d.zero_grad()
        fake = generator(torch.randn(8, 2))
        loss_d = loss_of(critic(real), ones) + loss_of(critic(fake.detach()), zeros)
        loss_d.backward()
        optimizer_d.step()
        loss_g = loss_of(critic(fake), ones)
        loss_g.backward()
        optimizer_g.step()
    """,
)

_SWITCHED = re.compile(
    r"\.requires_grad\s*=|requires_grad\(|requires_grad_\(\s*[^)\sT]|toggle|freeze|\.grad\b(?!\()"
)
"""Gradients that are switched off for one of the networks, or handled by hand."""


@dataclass(frozen=True, eq=False)
class _Pass:
    """A network that a loss is computed from directly, and the networks behind what it was given."""

    module: Value
    behind: tuple[Value, ...]


@dataclass(eq=False)
class _Optimizer:
    """An optimizer of the loop, its networks, and what waits in their gradients."""

    value: Value
    models: list[Value]
    foreign: Seen | None = None
    stepped_since: bool = False
    own: bool = False

    def holds(self, *modules: Value) -> bool:
        return any(model.may_be(module) for model in self.models for module in modules)

    def take(self, backward: Seen) -> None:
        if self.foreign is None:
            self.foreign, self.stepped_since, self.own = backward, False, False


class _Round:
    """A loop's events, twice over, its optimizers, and whose step each of its backward passes is for."""

    def __init__(self, here: list[Seen], off: set[ast.expr | ast.stmt]) -> None:
        self.events = [*here, *here]
        self.optimizers = _optimizers(here)
        self.backwards: dict[Seen, tuple[_Optimizer, list[_Pass]]] = {}
        for position, each in enumerate(here):
            if each.event.kind != "backward":
                continue
            step = next((later for later in self.events[position:] if later.event.kind == "step"), None)
            owner, loss = self.of(step) if step is not None else None, loss_of(each)
            if owner is not None and loss is not None:
                self.backwards[each] = (owner, list(_passes(each.event.frame, loss, off, 0)))

    def of(self, seen: Seen) -> _Optimizer | None:
        target = seen.event.target
        return next((each for each in self.optimizers if each.value.may_be(target)), None)

    def against(self, backward: Seen, foreign: _Optimizer) -> bool:
        """Whether a loss goes back through a network that judges another's output, and the two are rivals.

        The judge's own loss is also computed from what the other network did not make.
        """
        owner, passes = self.backwards[backward]
        for judge, maker in ((owner, foreign), (foreign, owner)):
            judged = any(judge.holds(each.module) and maker.holds(*each.behind) for each in passes)
            own = [each for whose, found in self.backwards.values() if whose is judge for each in found]
            if judged and any(judge.holds(each.module) and not maker.holds(*each.behind) for each in own):
                return True
        return False


def check(file: File) -> Iterator[Finding]:
    """Looks at each loop in which two optimizers step."""
    if len(file.index.calls_by_name.get("step", ())) < 2 or _SWITCHED.search(file.source.text):
        return
    reported: set[ast.AST] = set()
    for seen in events(file):
        off = {each.event.node for each in seen if each.event.kind == "forward" and each.recording == "off"}
        for loop in _loops(seen):
            here = inside(loop, seen)
            for step, backward in _mixed(_Round(here, off)):
                if step.event.node not in reported:
                    reported.add(step.event.node)
                    yield _finding(file, step, backward)


def _loops(seen: list[Seen]) -> list[Loop]:
    """The innermost loops in which at least two optimizers step."""
    found: list[Loop] = []
    for loop in dict.fromkeys(loop for each in seen for loop in reversed(each.loops)):
        if len(_optimizers(inside(loop, seen))) > 1:
            around = any(loop in each.loops and inner in each.loops for inner in found for each in seen)
            if not around:
                found.append(loop)
    return found


def _optimizers(here: list[Seen]) -> list[_Optimizer]:
    found: list[_Optimizer] = []
    for each in here:
        target = each.event.target
        if each.event.kind != "step" or target is None or target.kind != "optimizer" or len(target.keys) != 1:
            continue
        models = optimized_models(target)
        if models and not any(other.value.may_be(target) for other in found):
            found.append(_Optimizer(target, models))
    return found


def _mixed(loop: _Round) -> Iterator[tuple[Seen, Seen]]:
    """The steps on another one's gradients, each with the backward that they come from."""
    for each in loop.events:
        kind = each.event.kind
        if each in loop.backwards:
            _backward(loop, each)
        elif kind in ("zero", "gradient", "update", "opaque"):
            for optimizer in loop.optimizers:
                if may_touch(each, optimizer.value) if kind == "opaque" else _may_clear(each, optimizer):
                    optimizer.foreign = None
        elif kind == "step":
            stepping = loop.of(each)
            if stepping is not None and stepping.foreign and stepping.own and _is_cleared(loop, stepping):
                yield each, stepping.foreign
            for optimizer in loop.optimizers:
                if stepping is not None and optimizer is not stepping and optimizer.foreign is not None:
                    optimizer.stepped_since = True


def _backward(loop: _Round, each: Seen) -> None:
    """Leaves the gradients of a backward in the networks that it reaches and that it is not for."""
    owner, passes = loop.backwards[each]
    if owner.foreign is not None and owner.stepped_since:
        owner.own = True
    reached = [module for found in passes for module in (found.module, *found.behind)]
    for optimizer in loop.optimizers:
        if optimizer is not owner and optimizer.holds(*reached) and loop.against(each, optimizer):
            optimizer.take(each)


def _may_clear(each: Seen, optimizer: _Optimizer) -> bool:
    target = each.event.target
    if target is None or not target.sure:
        return True
    cleared = optimized_models(target) if target.kind == "optimizer" else [target]
    shared = any(model.may_be(each) for model in optimizer.models for each in cleared)
    return shared or not cleared or target.may_be(optimizer.value)


def _is_cleared(loop: _Round, optimizer: _Optimizer) -> bool:
    """Whether the loop clears the optimizer's gradients at all: where it never does that is told already."""
    return any(each.event.kind == "zero" and clears(each, optimizer.value) for each in loop.events)


def _passes(frame: Frame, node: ast.expr, off: set[ast.expr | ast.stmt], depth: int) -> Iterator[_Pass]:
    """The calls of networks that the gradient of an expression comes to first."""
    for source in gradient_sources(frame, node, loss=depth == 0, some=True) or ():
        call = source.node
        if source.kind != "forward" or not isinstance(call, ast.Call) or call in off or depth > 4:
            continue
        module = source.frame.value(call.func)
        if module is not None:
            inner = [p for argument in call.args for p in _passes(source.frame, argument, off, depth + 1)]
            behind = tuple(each for found in inner for each in (found.module, *found.behind))
            yield _Pass(module, behind)


def _finding(file: File, step: Seen, backward: Seen) -> Finding:
    home = backward.event.frame.file
    loss = receiver(backward.event.node) or "the other loss"
    name = stepped(step)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        step.place(file),
        f"`{name}` steps on gradients of `{loss}` too, which another optimizer's step was made for",
        why="nothing clears them before the network's own backward pass, and both are added up",
        fix=Fix(
            f"Detach what `{loss}` need not reach, or call `{name}.zero_grad()` before its own backward."
        ),
        related=(home.related(backward.event.node, f"`{loss}` reaches the network here"),),
    )


_STEPS = 40
_TIMES = 4
"""So many steps in a row used two gradients that work against each other."""

_AGAINST = -0.5
"""The cosine of the angle between them is below."""

_NUMBERS = 4096


@dataclass
class _Waiting:
    """What waits in an optimizer's gradients.

    Args:
        time: of the last backward pass that gave it some.
        place: of that.
        numbers: some of the gradients after it.
        foreign: the backward pass before it was followed by the step of another optimizer.
        before: what was there then.
        angle: between what was there then and what came after.
        times: how many steps in a row used both.
    """

    time: int = 0
    place: Place | None = None
    numbers: Any = None
    foreign: Place | None = None
    before: Any = None
    angle: float | None = None
    times: int = 0

    def clear(self) -> None:
        """Nothing waits any more."""
        self.time, self.numbers, self.foreign, self.before, self.angle = 0, None, None, None, None


class Watch(Detector):
    """Looks for steps on the sum of the own loss's gradients and those of another network's loss, where the
    two work against each other: one that a rival stepped on before, and one that came after.
    """

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._waiting: ByIdentity[_Waiting] = ByIdentity()

    def _is_off(self) -> bool:
        return len(self.gradients.accounts) < 2 or self.stream.step >= _STEPS

    @sampled
    def on_backward_ended(self, event: Event) -> None:
        """Whom it gave gradients."""
        if self._is_off():
            return
        for optimizer, account in self.gradients.each():
            if account.gave != self.gradients.now:
                continue
            waiting = self._waiting.setdefault(optimizer, _Waiting())
            numbers = _numbers(optimizer)
            if waiting.foreign is not None and waiting.before is not None and numbers is not None:
                waiting.angle = _angle(waiting.before, numbers - waiting.before)
            waiting.time, waiting.place, waiting.numbers = self.gradients.now, event.place, numbers

    def on_cleared(self, event: Event) -> None:
        """What waits no longer."""
        for optimizer, waiting in list(self._waiting.items()):
            if self.gradients.of(optimizer).cleared == self.gradients.now:
                waiting.clear()

    def on_step_began(self, event: Event) -> None:
        """Judges what is stepped on."""
        waiting = self._waiting.get(event.subject)
        if waiting is None or waiting.foreign is None or waiting.angle is None:
            return
        waiting.times = waiting.times + 1 if waiting.angle < _AGAINST else 0
        if waiting.times >= _TIMES:
            self.found(
                "The optimizer steps on gradients of another network's loss too, which work against its own",
                why="the other network's loss went back through this one, and nothing cleared that",
                place=event.place,
                fix="Detach what this network made before the other one judges it, or clear gradients first.",
                related=(
                    (waiting.foreign, "the other network's loss leaves its gradients here"),
                    (waiting.place, "and these are added to them"),
                ),
                cosine=round(waiting.angle, 3),
            )

    def on_step_ended(self, event: Event) -> None:
        """Others that were given gradients by the same backward pass have what was not meant for them."""
        own = self._waiting.get(event.subject)
        if own is None:
            return
        time = own.time
        own.clear()
        for optimizer, waiting in list(self._waiting.items()):
            if (
                optimizer is not event.subject
                and time
                and waiting.time == time
                and self._apart(optimizer, event)
            ):
                waiting.foreign, waiting.before, waiting.angle = waiting.place, waiting.numbers, None

    def _apart(self, optimizer: Any, event: Event) -> bool:
        """Whether two optimizers have no parameter in common."""
        one, other = self.gradients.of(optimizer), self.gradients.of(event.subject)
        return one.identities(optimizer).isdisjoint(other.identities(event.subject))


def _numbers(optimizer: Any) -> Any:
    """The gradients of some small parameters, one after the other; None where there are none."""
    held = [one.grad for one in parameters(optimizer) if one.grad is not None and one.numel() <= _NUMBERS][:4]
    if not held or any(one.is_sparse or one.is_complex() for one in held):
        return None
    flat = [one.detach().reshape(-1).float().cpu() for one in held]
    whole = flat[0].new_empty(sum(one.numel() for one in flat))
    start = 0
    for one in flat:
        whole[start : start + one.numel()] = one
        start += one.numel()
    return whole


def _angle(one: Any, other: Any) -> float:
    """The cosine of the angle between two lists of numbers; 0 where one of them is zero."""
    sizes = float(one.norm()) * float(other.norm())
    return float(one.dot(other)) / sizes if sizes else 0.0
