"""The optimizer steps where no gradient is: backward comes after the step, or never.

## What it does
Follows the order of events in a training loop, and reports a step before which gradients were cleared and
no backward pass came in between.

A watched run also reports an optimizer that steps again and again while no backward pass ever reaches its
parameters, though modules compute with them: what they give is cut off before it comes to a loss.

## Why is this bad?
The step sees no gradient: parameters do not move (or move by momentum and weight decay alone). What a
later `backward()` computes is cleared before anybody uses it. Nothing fails.

## References
- [Taking an optimization step](https://docs.pytorch.org/docs/stable/optim.html#taking-an-optimization-step)
"""

from __future__ import annotations

import ast
import builtins
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import has_no_gradient, parameters, tensors, way_back
from torchstone.review.leaves import numbers_of
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, Identities
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.training import clears, has, inside, made_inside, may_touch, runs_once, stepped
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.gradients import Account
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS104"
NAME = "step-without-backward"
SEVERITY: Severity = "error"
INVOLVES = ("step", "grad")

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
            optimizer.step()  # TS104
            loss.backward()
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
        optimizer.step()
    """,
)

_COMPUTING = ("backward", "gradient", "update")
_SUSPECT = ("back", "optim", "step", "update", "train", "fit", "learn", "run", "closure", "apply")
_PURE = {"criterion", "loss_fn", "loss_func", "loss_function", "model", "net", "network"}


def check(file: File) -> Iterator[Finding]:
    """Looks at what happens before each step of a loop."""
    for seen in events(file):
        for step in seen:
            optimizer = step.event.target
            if step.event.kind != "step" or not step.loops or optimizer is None:
                continue
            loop = step.loops[-1]
            if optimizer.kind != "optimizer" or optimizer.cls is not None:
                continue
            if not made_inside(optimizer, loop) and not runs_once(loop):
                here = inside(loop, seen)
                zero = _cleared(here, step, optimizer)
                if zero is not None:
                    yield from _judged(file, here, step, zero)


def _cleared(here: list[Seen], step: Seen, optimizer: Value) -> Seen | None:
    """The clearing that surely is the last thing that happens to the gradients before a step."""
    if any(each.event.kind == "opaque" and may_touch(each, optimizer) for each in here):
        return None
    position = here.index(step)
    before, after = here[:position], here[position + 1 :]
    # A backward before the step, and a clearing between them, is another mistake.
    if any(each.event.kind in _COMPUTING for each in before):
        return None
    for each in (*reversed(before), *reversed(after)):
        if each.event.kind in (*_COMPUTING, "step"):
            return None
        if each.event.kind == "zero":
            sure = each.loops == step.loops and each.branches == step.branches[: len(each.branches)]
            return each if sure and clears(each, optimizer) else None
    return None


def _judged(file: File, here: list[Seen], step: Seen, zero: Seen) -> Iterator[Finding]:
    backward = next((each for each in here if each.event.kind in _COMPUTING), None)
    if backward is None and (_may_go_back(step, step.loops[-1]) or _is_schedule_shown(step, here)):
        return
    name = stepped(step)
    related = [zero.event.frame.file.related(zero.event.node, "gradients are cleared here")]
    if backward is not None:
        node = backward.event.node
        related.append(backward.event.frame.file.related(node, "and computed here, after the step"))
        message = f"`{name}` steps before the backward pass: its gradients have just been cleared"
        fix = Fix(f"Call `{name}.step()` after `backward()`.")
    else:
        message = f"`{name}` steps without a gradient: nothing in the loop goes back through the loss"
        fix = Fix("Call `loss.backward()` before the step.")
    why = "the parameters do not move"
    yield file.finding(
        CODE, NAME, SEVERITY, step.place(file), message, why=why, fix=fix, related=tuple(related)
    )


def _is_schedule_shown(step: Seen, here: list[Seen]) -> bool:
    """Whether a loop only steps a schedule, to see its rates: it calls no model, and has no loss."""
    shown = has(here, "scheduler") and not has(here, "forward")
    return shown and "loss" not in ast.unparse(step.loops[-1].node).lower()


def _may_go_back(step: Seen, loop: Loop) -> bool:
    """Whether a call in the loop that reading cannot follow may compute gradients."""
    places: list[tuple[Frame, ast.AST]] = [(loop.frame, loop.node)]
    places += [(call.frame, call.node) for call in step.calls]
    if step.event.frame is not loop.frame:
        places.append((step.event.frame, step.event.frame.scope.node))
    for frame, around in places:
        for call in (part for part in ast.walk(around) if isinstance(part, ast.Call)):
            if isinstance(call.func, ast.Name):
                known = hasattr(builtins, call.func.id) or call.func.id in _PURE
                if not known and frame.value(call.func) is None:
                    return True
            elif isinstance(call.func, ast.Attribute):
                suspect = any(word in call.func.attr.lower() for word in _SUSPECT)
                if suspect and frame.value(call.func.value) is None:
                    return True
    return False


_TIMES = 3
"""So often it is seen that what parameters are used for gives them nothing."""

_ENOUGH, _MANY = 10, 1000
"""After so many steps that is told at the end of a run, and at once: a loss may be added later."""

_MOST_STARVED = 16
_MEASURED = 4


@dataclass
class _Starved:
    """An optimizer none of whose parameters had a gradient yet, though they are used.

    Args:
        optimizer: a reference that does not keep it.
        account: of its gradients.
        kind: its class.
        place: where it steps.
        names: of some of its parameters.
        some: some of them, and their first numbers.
        times: so often they were used and got nothing.
        cut: what ends the graph of what they give, and where, if it was seen.
    """

    optimizer: weakref.ref[Any]
    account: Account
    kind: str
    place: Place | None
    names: list[str]
    some: list[tuple[weakref.ref[Any], Any]]
    times: int = 0
    cut: tuple[str, Place] | None = None

    def rests(self) -> bool:
        """Whether nothing else changes the parameters."""
        held = [(reference(), numbers) for reference, numbers in self.some]
        return all(one is None or numbers_of(one) == numbers for one, numbers in held)


class Watch(Detector):
    """Looks whether an optimizer steps before the backward pass that is meant for it, or without any."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._early: ByIdentity[int] = ByIdentity()
        self._empty: ByIdentity[int] = ByIdentity()
        self._starved: dict[int, _Starved] = {}
        self._fed: Identities = Identities()
        """Optimizers that had gradients, or may not have any."""
        self._used: ByIdentity[int] = ByIdentity()
        """By optimizer: when a module last computed with its parameters."""
        self._cuts: ByIdentity[tuple[str, Place]] = ByIdentity()
        """By optimizer: what ends the graph of its parameters, and where."""

    def _hungry(self) -> list[tuple[Any, Account]]:
        """The optimizers that had no gradients yet."""
        return [(one, told) for one, told in self.gradients.each() if not told.gave and one not in self._fed]

    @sampled
    def on_forward(self, event: Event) -> None:
        """Whose parameters are used."""
        if not event.recording:
            return
        for optimizer, account in self._hungry():
            if self._used.get(optimizer, -1) <= account.stepped and account.shares(optimizer, event.subject):
                own = account.identities(optimizer)
                if any(_comes_from(one, own) for one in tensors(event.output)):
                    self._used[optimizer] = self.gradients.now

    def on_cut(self, event: Event) -> None:
        """Where their graph ends."""
        for optimizer, account in self._hungry():
            if event.place is not None and _comes_from(event.subject, account.identities(optimizer)):
                self._cuts[optimizer] = event.values["name"], event.place

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """Judges the step that was made."""
        gradients, optimizer = self.gradients, event.subject
        account = gradients.of(optimizer)
        if gradients.now != account.stepped:
            return
        if not gradients.backward and not gradients.computed:
            self._judge_empty(event, account)
        elif not gradients.forward and not account.gave:
            self._judge_unreached(event, account)
        elif self._is_early(account) and has_no_gradient(optimizer):
            times = self._early[optimizer] = self._early.get(optimizer, 0) + 1
            if times >= 2:
                self._tell_early(event, account)
        else:
            self._follow(event, account)

    def _is_early(self, account: Account) -> bool:
        """Whether a forward pass is followed by the step, and only then by its backward pass."""
        gave, between = account.gave, self.gradients.forward
        went_forward = between > gave if between else account.stepped_first < account.gave_first
        return account.stepped_before < gave < account.cleared < account.began and went_forward

    def _judge_empty(self, event: Event, account: Account) -> None:
        optimizer = event.subject
        if self.gradients.forward < account.stepped_before or not self.gradients.forward:
            return
        if any(parameter.grad is not None for parameter in parameters(optimizer)):
            return
        times = self._empty[optimizer] = self._empty.get(optimizer, 0) + 1
        if times >= 3:
            self.found(
                "The optimizer steps, and no backward pass was made since the program began",
                why="no parameter has a gradient, so none moves",
                place=event.place,
                fix="Call `backward()` on the loss before the step.",
                cause="never",
                optimizer=type(optimizer).__name__,
            )

    def _judge_unreached(self, event: Event, account: Account) -> None:
        """Tensors without a module that no backward pass reaches; of modules other mistakes say why."""
        optimizer = event.subject
        if self._is_told():
            return
        held = list(parameters(optimizer))
        if self.gradients.backward < account.stepped_before or any(
            one.grad is not None or not one.requires_grad for one in held
        ):
            return
        times = self._empty[optimizer] = self._empty.get(optimizer, 0) + 1
        if times >= 3:
            self.found(
                "No backward pass reaches what the optimizer holds: the loss is made without it, or cut off",
                why="none of its parameters has a gradient, so none moves",
                place=event.place,
                fix="Compute the loss from the parameters themselves; `detach()` and `.item()` cut the way.",
                cause="unreached",
                optimizer=type(optimizer).__name__,
            )

    def _is_told(self) -> bool:
        return any(finding.code in ("TS107", "TS108") for finding in self.watcher.findings)

    def _follow(self, event: Event, account: Account) -> None:
        """Counts the steps of an optimizer that has no gradients."""
        optimizer = event.subject
        if account.gave or optimizer in self._fed:
            return
        held = list(parameters(optimizer))
        if any(one.grad is not None or not one.requires_grad for one in held):
            self._fed.add(optimizer)
            self._starved.pop(id(optimizer), None)
            return
        used = self._used.get(optimizer, -1) > account.stepped_before
        if not used or self.gradients.backward < account.stepped_before:
            return
        starved = self._starved.get(id(optimizer))
        if starved is None or starved.optimizer() is not optimizer:
            if starved is not None or len(self._starved) >= _MOST_STARVED:
                return
            some = [(weakref.ref(one), numbers_of(one)) for one in held[:_MEASURED]]
            reference, kind = weakref.ref(optimizer), type(optimizer).__name__
            names = self.names.parameters(held, most=3)
            starved = _Starved(reference, account, kind, event.place, names, some)
            self._starved[id(optimizer)] = starved
        starved.times += 1
        starved.cut = self._cuts.get(optimizer)
        if account.steps >= _MANY:
            self._tell_starved(starved)

    def on_end(self, event: Event) -> None:
        """Tells of those that never had one."""
        for starved in self._starved.values():
            if starved.account.steps >= _ENOUGH:
                self._tell_starved(starved)

    def _tell_starved(self, starved: _Starved) -> None:
        gave, cut = starved.account.gave, starved.cut
        if gave or starved.times < _TIMES or self._is_told() or not starved.rests():
            return
        shown = ", ".join(name if name.startswith("and ") else f"`{name}`" for name in starved.names)
        self.found(
            f"The optimizer steps, and none of its parameters ever had a gradient: {shown}",
            why="no loss is reached from what they are used for, so none of them moves",
            place=starved.place,
            fix="Let a loss go back to them, without `detach()` or `.item()` on the way.",
            related=() if cut is None else ((cut[1], f"`{cut[0]}` ends the graph of what they give"),),
            cause=starved.place,
            severity="warning",
            optimizer=starved.kind,
            steps=starved.account.steps,
        )

    def _tell_early(self, event: Event, account: Account) -> None:
        self.found(
            "The optimizer steps before the backward pass, whose gradients are cleared before the next step",
            why="the step finds no gradient: parameters do not move, or move by momentum and decay alone",
            place=event.place,
            fix="Call `backward()` first, then the optimizer's step.",
            related=(
                (account.gave_place, "these gradients come after the step"),
                (account.cleared_place, "and are cleared here, unused"),
            ),
            optimizer=type(event.subject).__name__,
        )


def _comes_from(tensor: Any, own: frozenset[int]) -> bool:
    """Whether a parameter of some is behind a tensor."""
    if getattr(tensor, "grad_fn", None) is None:
        return False
    return any(id(getattr(node, "variable", None)) in own for node in way_back(tensor))
