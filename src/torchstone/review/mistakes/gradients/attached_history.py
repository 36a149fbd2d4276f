"""Losses are summed or collected together with their graphs.

## What it does
Reports `total += loss` and `losses.append(loss)` in a training loop that goes back through the same loss,
when the sum or the list never reaches a backward pass itself.

## Why is this bad?
Each loss holds on to the graph that made it. Memory grows with every step, and each one is slower to
free, until it runs out or the epoch ends.

## References
- [My model reports out of memory](https://docs.pytorch.org/docs/stable/notes/faq.html)
"""

from __future__ import annotations

import ast
import linecache
import re
import weakref
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.gradients import tensors
from torchstone.review.mistake import Example
from torchstone.review.objects import attributes, is_tensor
from torchstone.review.places import Place, is_users, locals_of
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import from_outside, goes_back, loss_of

if TYPE_CHECKING:
    from types import FrameType

    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS105"
NAME = "attached-history"
SEVERITY: Severity = "warning"
MENTIONS = ("backward", "+=|append")

BAD = (
    Example(
        """
        import torch

        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        total = 0
        for x in torch.randn(5, 4, 2):
            optimizer.zero_grad()
            loss = model(x).pow(2).mean()
            loss.backward()
            optimizer.step()
            total += loss  # TS105
        print(total)
        """,
        fixed="""
        import torch

        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        total = 0
        for x in torch.randn(5, 4, 2):
            optimizer.zero_grad()
            loss = model(x).pow(2).mean()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        print(total)
        """,
    ),
)
GOOD = (
    """
    import torch

    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    total = 0
    for x in torch.randn(5, 4, 2):
        optimizer.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(total)
    """,
    """
    import torch

    model = torch.nn.Linear(2, 1)
    losses = []
    for x in torch.randn(5, 4, 2):
        losses.append(model(x).pow(2).mean())
    sum(losses).backward()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at what is kept of each loss that a backward goes through."""
    done = set()
    for seen in events(file):
        for each in seen:
            if each.event.kind != "backward" or not each.loops or each.event.frame.file is not file:
                continue
            loss = loss_of(each)
            loop = each.loops[-1]
            if not isinstance(loss, ast.Name) or loop.frame is not each.event.frame or loss in done:
                continue
            done.add(loss)
            for kept, name, owner in _kept(file, loop.node, loss):
                scope = file.index.scope_of(owner)
                if not goes_back(file, scope, name) and from_outside(scope, name, loop.node):
                    yield _finding(file, kept, name, owner)


def _kept(file: File, loop: ast.AST, loss: ast.Name) -> Iterator[tuple[ast.Name, str, ast.stmt]]:
    """The uses of a loss that add it to a sum or a list."""
    scope = file.index.scope_of(loss)
    reaching = file.reaching(scope)
    for node in ast.walk(loop):
        if (
            isinstance(node, ast.AugAssign)
            and isinstance(node.op, ast.Add)
            and isinstance(node.target, ast.Name)
        ):
            value: ast.expr | None = node.value
            if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Div):
                value = value.left
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func
            if not (isinstance(function, ast.Attribute) and function.attr == "append" and node.value.args):
                continue
            if not isinstance(function.value, ast.Name):
                continue
            value, name = node.value.args[0], function.value.id
        else:
            continue
        if not isinstance(value, ast.Name) or value.id != loss.id or file.index.scope_of(value) is not scope:
            continue
        if reaching.of(value) == reaching.of(loss):
            yield value, name, node


def _finding(file: File, kept: ast.Name, name: str, owner: ast.stmt) -> Finding:
    loss = kept.id
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        owner,
        f"`{name}` keeps each `{loss}` with its graph: memory grows with every step",
        why="a loss holds on to the graph that made it",
        fix=Fix(
            f"Keep `{loss}.item()` or `{loss}.detach()`.",
            safe=True,
            edits=(file.replace(kept, f"{loss}.detach()"),),
        ),
    )


_ROUNDS = 8
"""Results of so many backward passes before are alive."""

_CHECKED = (10, 20, 40, 160, 640)
"""After so many backward passes the program's variables are looked at."""

_FRAMES = 5
_SUMS = re.compile(r"^(Add|Sub|Mul|Div)Backward\d")
_WHY = "each holds on to the graph that made it: memory grows with every step"


class Watch(Detector):
    """Looks whether results of ever more steps are kept with graphs that a backward pass went through."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._numbers: list[int] = []
        self._losses: list[weakref.ref[Any]] = []
        self._outputs: dict[Place, list[tuple[int, weakref.ref[Any]]]] = {}

    def on_forward(self, event: Event) -> None:
        """An output with its graph."""
        if not event.root or not event.recording or not len(self._numbers) < _ROUNDS:
            return
        held = next((one for one in tensors(event.output) if one.grad_fn is not None), None)
        if held is not None and event.place is not None:
            kept = self._outputs.setdefault(event.place, [])
            if not kept or kept[-1][0] != len(self._numbers):
                kept.append((len(self._numbers), weakref.ref(held)))

    def on_backward_ended(self, event: Event) -> None:
        """A graph that nobody can go back through any more."""
        loss = event.subject
        if event.retain_graph or event.create_graph or getattr(loss, "grad_fn", None) is None:
            return
        count = len(self._numbers)
        if count > _CHECKED[-1]:
            return
        self._numbers.append(loss.grad_fn._sequence_nr())
        if count < _ROUNDS:
            self._losses.append(weakref.ref(loss))
        if count in _CHECKED:
            self._look(event)

    def _look(self, event: Event) -> None:
        frames = list(_frames(event.frame))
        losses = [reference() for reference in self._losses]
        if all(_is_attached(loss) for loss in losses):
            self._tell("losses", losses[0], frames, event.place)
        for place, kept in self._outputs.items():
            outputs = [reference() for _, reference in kept]
            if len(outputs) >= _ROUNDS and all(_is_attached(output) for output in outputs):
                self._tell("outputs", outputs[0], frames, place)
        for frame in frames:
            for name, value in _variables(frame):
                if _is_attached(value) and self._is_sum(value, event.subject):
                    self._tell_sum(name, _line(frame, name) or event.place, event.place)

    def _is_sum(self, value: Any, loss: Any) -> bool:
        """Whether a tensor adds up results of before many backward passes."""
        if value is loss:
            return False
        waiting, seen, rounds = [value.grad_fn], {value.grad_fn}, set()
        while waiting and len(seen) < 50 * _ROUNDS:
            node = waiting.pop()
            if not _SUMS.match(node.name()):
                continue
            rounds.add(bisect_left(self._numbers, node._sequence_nr()))
            for behind, _ in node.next_functions:
                if behind is not None and behind not in seen:
                    seen.add(behind)
                    waiting.append(behind)
        return len(rounds) >= _ROUNDS

    def _tell(self, what: str, one: Any, frames: list[FrameType], place: Place | None) -> None:
        """Results in a list."""
        for frame in frames:
            for name, value in _variables(frame):
                if isinstance(value, list) and any(held is one for held in value[:4]):
                    self._report(
                        f"`{name}` keeps the {what} of all steps", _line(frame, name) or place, place
                    )
                    return
        self._report(f"The {what} of all steps are kept", place, place)

    def _tell_sum(self, name: str, place: Place | None, backward: Place | None) -> None:
        self._report(f"`{name}` adds up results of all steps", place, backward)

    def _report(self, what: str, place: Place | None, backward: Place | None) -> None:
        self.found(
            f"{what} together with their graphs",
            why=_WHY,
            place=place,
            fix="Keep numbers: `loss.item()`, or `loss.detach()`.",
            related=((backward, "what is made here is kept"),) if backward != place else (),
            backward_passes=len(self._numbers),
        )


def _is_attached(value: Any) -> bool:
    """Whether a value is a tensor with a graph."""
    return is_tensor(value) and value.grad_fn is not None


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """The user's functions that are at work, the innermost first."""
    found = 0
    while frame is not None and found < _FRAMES:
        if is_users(frame.f_code.co_filename):
            found += 1
            yield frame
        frame = frame.f_back


def _variables(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """The variables of a function and the attributes of its object, by name."""
    local = locals_of(frame)
    yield from local.items()
    yield from [(f"self.{name}", value) for name, value in attributes(local.get("self")).items()]


def _line(frame: FrameType, name: str) -> Place | None:
    """The line of a function that adds to a variable."""
    file, numbers = frame.f_code.co_filename, [line for _, _, line in frame.f_code.co_lines() if line]
    own = re.escape(name)
    adding = re.compile(rf"(?<![\w.]){own}\s*(\+=|\.append\(|=(?!=).*(?<![\w.]){own}\b)")
    found = (line for line in sorted(set(numbers)) if adding.search(linecache.getline(file, line)))
    return next((Place(file, line) for line in found), None)
