"""The optimizer is made anew for every batch or epoch, and forgets its averages each time.

## What it does
Reports an optimizer with a memory (all but plain SGD) that is made, without a condition, inside a loop over
batches or epochs, for a model that outlives the loop's round.

## Why is this bad?
Momentum and Adam's running averages start from zero each time: Adam's first steps have the full learning
rate in every direction, and a schedule that follows the old optimizer has no effect. Nothing fails.

## References
- [torch.optim](https://docs.pytorch.org/docs/stable/optim.html)
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
from torchstone.review.gradients import parameters
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.pausing import STEADY
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import has, inside, made_inside, optimized_models, runs_once, stepped
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS117"
NAME = "optimizer-in-loop"
SEVERITY: Severity = "warning"
INVOLVES = ("backward", "step")

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(torch.randn(32, 4), torch.randn(32, 1)), batch_size=8)
        model = nn.Linear(4, 1)
        for x, y in loader:
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01)  # TS117
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(torch.randn(32, 4), torch.randn(32, 1)), batch_size=8)
    for fold in range(2):
        model = nn.Linear(4, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    """,
)

_BATCHES = re.compile(r"load|batch|train_(dl|data|iter)|train(ing)?_?set", re.IGNORECASE)
_RESTARTS = re.compile(
    r"fold|client|task|agent|trial|restart|reset|deepcopy|load_state_dict|member", re.IGNORECASE
)


def check(file: File) -> Iterator[Finding]:
    """Looks at the optimizer of each step in a loop."""
    done: set[ast.Call] = set()
    for seen in events(file):
        for step in seen:
            optimizer = step.event.target
            if step.event.kind != "step" or optimizer is None or not step.loops:
                continue
            call = optimizer.call
            if call is None or call in done or optimizer.frame is None or optimizer.frame.file is not file:
                continue
            loop = _round(step, optimizer, call)
            if loop is not None and has(inside(loop, seen), "backward"):
                done.add(call)
                yield _finding(file, step, call, loop)


def _round(step: Seen, optimizer: Value, call: ast.Call) -> Loop | None:
    """The loop over batches or epochs in whose body an optimizer with a memory is made."""
    models = optimized_models(optimizer)
    plain = optimizer.name == "torch.optim.SGD" and all(k.arg != "momentum" for k in call.keywords)
    if not models or not optimizer.sure or plain or optimizer.cls is not None:
        return None
    for loop in step.loops:
        if loop.frame is not optimizer.frame or call not in _direct(loop):
            continue
        if any(made_inside(model, loop) for model in models) or runs_once(loop):
            return None
        if _RESTARTS.search(ast.unparse(loop.node)) or not isinstance(loop.node, ast.For):
            return None
        head = f"{ast.unparse(loop.node.target)} {ast.unparse(loop.node.iter)}"
        epochs = "epoch" in head.lower() and loop is not step.loops[-1]
        return loop if epochs or (loop is step.loops[-1] and _BATCHES.search(head)) else None
    return None


def _direct(loop: Loop) -> list[ast.expr]:
    """What the statements of a loop's own body assign, under no condition."""
    return [node.value for node in loop.node.body if isinstance(node, ast.Assign)]


def _finding(file: File, step: Seen, call: ast.Call, loop: Loop) -> Finding:
    name = stepped(step) or "the optimizer"
    often = "batch" if loop is step.loops[-1] else "epoch"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{name}` is made anew for every {often} and forgets its running averages",
        why="momentum and adaptive rates start from zero each time",
        fix=Fix("Make the optimizer once, before the loop."),
        related=(loop.frame.file.related(loop.node, "in each round of this loop"),),
    )


_TIMES = 3
"""So often in a row it was made anew."""


@dataclass
class _Made:
    """The optimizer that was made last at a place.

    Args:
        first: its first parameter.
        identities: of its parameters.
        steps: that it made.
        step: the line of its last one.
        batches: that were given since.
        passes: over a loader that ended since.
        loader: that gave the last batch.
        values: of its first parameter, after its last step.
        kind: what it was made for: each `batch` or each `epoch`.
        times: how often in a row it was made for the same parameters.
    """

    first: weakref.ref[Any]
    identities: frozenset[int]
    steps: int = 0
    step: Place | None = None
    batches: int = 0
    passes: int = 0
    loader: weakref.ref[Any] | None = None
    values: Any = None
    kind: str = ""
    times: int = 0

    def follows(self, before: _Made) -> str:
        """What the optimizer before was made for, where this one does just what it did."""
        first = self.first()
        same = first is not None and before.first() is first and self.identities == before.identities
        if not same or not before.steps or before.values != _values(first):
            return ""
        if before.batches == 1 and before.passes == 0:
            return "batch"
        return "epoch" if before.passes == 1 and before.steps > 1 else ""


class Watch(Detector):
    """Looks for a place that makes optimizers with a memory for the same parameters again and again."""

    PAUSES = STEADY

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._made: dict[Place, _Made] = {}
        self._now: ByIdentity[_Made] = ByIdentity()

    def on_optimizer_made(self, event: Event) -> None:
        """Compares it with the one before of the same place."""
        optimizer, place = event.subject, event.place
        remembers = optimizer.defaults.get("momentum", 1) != 0
        first = next(parameters(optimizer), None)
        if place is None or first is None or not remembers:
            return
        made = _Made(weakref.ref(first), frozenset(id(one) for one in parameters(optimizer)))
        before = self._made.get(place)
        kind = made.follows(before) if before is not None else ""
        if before is not None and kind:
            made.kind, made.loader = kind, before.loader
            made.times = before.times + 1 if before.kind in (kind, "") else 1
            if made.times >= _TIMES:
                self._tell(made, place, before.step)
        if len(self._made) < 64 or place in self._made:
            self._made[place] = self._now[optimizer] = made

    def on_step_ended(self, event: Event) -> None:
        """It has something to remember."""
        made = self._now.get(event.subject)
        if made is None:
            return
        made.steps += 1
        if self.stream.sampled and made.times < _TIMES:
            made.step = event.place
            self._remember(made)

    def on_batch(self, event: Event) -> None:
        """What it is used for."""
        for made in self._made.values():
            if made.passes or made.times >= _TIMES or event.subject is None:
                continue
            if made.loader is None or made.loader() is not event.subject:
                made.times = 0  # another task's or another client's data
                made.loader = weakref.ref(event.subject)
            made.batches += 1

    def on_epoch_ended(self, event: Event) -> None:
        """What it is used for."""
        for made in self._made.values():
            loader = None if made.loader is None else made.loader()
            if loader is event.subject and loader is not None and made.times < _TIMES:
                made.passes += 1
                if made.passes == 1:
                    self._remember(made)

    def on_state_loaded(self, event: Event) -> None:
        """Where weights are set back, the optimizer may forget, too."""
        self._made.clear()

    @staticmethod
    def _remember(made: _Made) -> None:
        first = made.first()
        made.values = None if first is None else _values(first)

    def _tell(self, made: _Made, place: Place, step: Place | None) -> None:
        self.found(
            f"The optimizer is made anew for every {made.kind} and forgets its running averages",
            why="momentum and adaptive rates start from zero each time",
            place=place,
            fix="Make the optimizer once, before the loop.",
            related=((step, "each makes its steps here"),),
            times=made.times + 1,
        )


def _values(parameter: Any) -> tuple[Any, ...]:
    """What tells whether a parameter was changed, by whatever means."""
    plain = parameter.detach()
    plain = plain if plain.is_complex() else plain.float()
    return parameter.data_ptr(), complex(plain.sum()), float(plain.norm())
