"""An optimizer's gradients are cleared and computed, but nobody calls its `step()`.

## What it does
Reports an optimizer that is cleared in a loop with a backward pass, while `step` is called on it nowhere,
and nothing else that could step gets hold of it.

## Why is this bad?
The parameters never change: the model stays as it was initialised. Nothing fails.

## References
- [Taking an optimization step](https://docs.pytorch.org/docs/stable/optim.html#taking-an-optimization-step)
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.gradients import parameters, way_back
from torchstone.review.mistake import Example
from torchstone.review.objects import Identities
from torchstone.review.pausing import STEADY
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import has, inside, receiver
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS103"
NAME = "missing-step"
SEVERITY: Severity = "error"
INVOLVES = ("backward", "grad")

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
            loss.backward()  # TS103
        """,
        fixed="""
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
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    x = torch.randn(8, 4, requires_grad=True)
    for _ in range(3):
        model.zero_grad()
        model(x).sum().backward()
        x.data -= 0.1 * x.grad.sign()
        x.grad = None
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each optimizer that is cleared in a loop."""
    for seen in events(file) if file.source.complete else ():
        for zero in seen:
            if zero.event.kind != "zero" or not zero.loops or zero.branches:
                continue
            backward = _backward(zero, zero.loops[-1], seen)
            if backward is not None:
                yield _finding(file, zero, backward)


def _backward(zero: Seen, loop: Loop, seen: list[Seen]) -> Seen | None:
    """The backward whose gradients nobody uses."""
    optimizer = zero.event.target
    if optimizer is None or optimizer.kind != "optimizer" or not optimizer.sure or optimizer.cls:
        return None
    here = inside(loop, seen)
    # Any step, by hand or by a call that cannot be followed, is the end of what can be said.
    if has(seen, "step") or has(seen, "update") or has(here, "gradient") or _in_files(zero, optimizer):
        return None
    if any(each.event.kind == "opaque" and _reaches(each, optimizer) for each in seen):
        return None
    found = [each for each in here if each.event.kind == "backward" and each.loops[-1] is loop]
    return found[-1] if found else None


def _in_files(zero: Seen, optimizer: Value) -> bool:
    """Whether anything named `step` is called on something that may be the optimizer, seen or not."""
    files = {id(zero.event.frame.file): zero.event.frame.file}
    if optimizer.frame is not None:
        files[id(optimizer.frame.file)] = optimizer.frame.file
    for file in files.values():
        for call in file.index.calls_by_name.get("step", ()):
            value = file.value(call.func.value) if isinstance(call.func, ast.Attribute) else None
            if value is None or value.kind not in ("scheduler", "instance"):
                return True
        if any(name in file.source.text for name in ("step_and_update", "optimizer_step", "opt_step")):
            return True
    return False


def _reaches(each: Seen, optimizer: Value) -> bool:
    return any(
        value.may_be(optimizer) or value.kind in ("instance", "framework", "function", "sequence", "scaler")
        for value in each.event.values
    )


def _finding(file: File, zero: Seen, backward: Seen) -> Finding:
    name = receiver(zero.event.node)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        backward.place(file),
        f"gradients are computed, but `{name}.step()` is called nowhere: the parameters never change",
        why="only the optimizer's step moves the parameters",
        fix=_fix(file, zero, backward, name),
        related=(zero.event.frame.file.related(zero.event.node, f"`{name}` is used here, and never steps"),),
    )


def _fix(file: File, zero: Seen, backward: Seen, name: str) -> Fix:
    description = f"Call `{name}.step()` after the backward pass."
    frame = backward.event.frame
    if frame.file is not file or frame is not zero.event.frame:
        return Fix(description)
    statement = file.statement(backward.event.node)
    if not isinstance(statement, ast.Expr) or not file.starts_line(statement):
        return Fix(description)
    return Fix(description, safe=True, edits=(file.add_line(statement, f"{name}.step()"),))


_ROUNDS = 3
"""So often gradients were cleared and computed."""

_MOST = 64
"""So many optimizers are kept in mind."""


@dataclass(eq=False)
class _Idle:
    """An optimizer that never stepped.

    Args:
        optimizer: it.
        kind: its class's name.
        cleared: its gradients were, since the last backward pass.
        rounds: how often they were cleared and computed.
        values: of some of its parameters, when first seen.
        place: the last backward pass.
    """

    optimizer: weakref.ref[Any]
    kind: str
    cleared: bool = False
    rounds: int = 0
    values: list[complex] | None = None
    place: Place | None = None


class Watch(Detector):
    """Looks for optimizers that never step, though gradients are cleared and computed for them."""

    PAUSES = STEADY

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._idle: list[_Idle] = []
        self._stepped: Identities = Identities()

    def on_optimizer_made(self, event: Event) -> None:
        """One more that did not step yet."""
        if len(self._idle) < _MOST:
            self._idle.append(_Idle(weakref.ref(event.subject), type(event.subject).__name__))

    def on_step_began(self, event: Event) -> None:
        """Whoever shares parameters with one that steps is not idle: one optimizer may wrap another."""
        if self._idle and event.subject not in self._stepped:
            self._stepped.add(event.subject)
            self._forget(event.subject)

    def on_scaler(self, event: Event) -> None:
        """A scaler leaves steps out where gradients overflow."""
        if event.action == "step" and hasattr(event.optimizer, "param_groups"):
            self._forget(event.optimizer)

    def on_cleared(self, event: Event) -> None:
        """The first half of a round."""
        for idle in self._idle:
            idle.cleared = idle.cleared or idle.optimizer() is event.subject

    def on_backward_ended(self, event: Event) -> None:
        """The second half."""
        for idle in tuple(self._idle):
            optimizer = idle.optimizer()
            if optimizer is None or not idle.cleared:
                continue
            if self.gradients.of(optimizer).gave != self.gradients.now:
                continue
            idle.cleared, idle.rounds = False, idle.rounds + 1
            idle.place = event.place
            if idle.rounds <= _ROUNDS or not idle.rounds & (idle.rounds - 1):  # powers of two
                self._look(idle, optimizer, event.subject)

    def _look(self, idle: _Idle, optimizer: Any, loss: Any) -> None:
        """Leaves an optimizer alone whose parameters move by hand, or that is not what gradients are for."""
        values = _values(optimizer)
        if idle.values is None:
            idle.values = values
        if values != idle.values or _is_for_inputs(loss, self.gradients.of(optimizer).identities(optimizer)):
            self._idle.remove(idle)

    def _forget(self, optimizer: Any) -> None:
        own = self.gradients.of(optimizer).identities(optimizer)
        kept = []
        for idle in self._idle:
            other = idle.optimizer()
            if other is None or own.isdisjoint(self.gradients.of(other).identities(other)):
                kept.append(idle)
        self._idle = kept

    def on_end(self, event: Event) -> None:
        """Nobody can step any more."""
        for idle in self._idle:
            if idle.rounds >= _ROUNDS:
                self.found(
                    "Gradients were cleared and computed, and the optimizer never stepped",
                    why="the parameters are what they were at first",
                    place=idle.place,
                    fix="Call the optimizer's `step()` after the backward pass.",
                    optimizer=idle.kind,
                    backward_passes=idle.rounds,
                )


def _values(optimizer: Any) -> list[complex]:
    """Sums over the smallest parameters that have a gradient."""
    held = [one for one in parameters(optimizer) if one.grad is not None and not one.is_meta]
    smallest = sorted(held, key=lambda one: int(one.numel()))[:3]
    return [complex(one.detach().sum()) for one in smallest]


def _is_for_inputs(loss: Any, own: frozenset[int]) -> bool:
    """Whether gradients flow to a tensor that is no parameter, as for saliency and adversarial inputs."""
    leaves = (getattr(node, "variable", None) for node in way_back(loss))
    return any(
        leaf is not None and id(leaf) not in own and type(leaf).__name__ != "Parameter" for leaf in leaves
    )
