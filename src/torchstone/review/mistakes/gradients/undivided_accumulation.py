"""Gradients of several batches are added up, and the mean loss is not divided by their number.

## What it does
Reports a loop that goes back in every round and steps in every k-th, when the loss is one of torch's means
and nothing divides it, the learning rate or the gradients.

## Why is this bad?
The step uses k times the mean gradient: the effective learning rate is k times the one that was written
down, and changing k changes training.

## References
- [Gradient accumulation](https://docs.pytorch.org/docs/stable/notes/amp_examples.html#gradient-accumulation)
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import versions
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.pausing import STEADY
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import has, inside, loss_of

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS109"
NAME = "undivided-accumulation"
SEVERITY: Severity = "warning"
MENTIONS = ("%", "step")
INVOLVES = ("backward",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step, (x, y) in enumerate([(torch.randn(8, 4), torch.randn(8, 1))] * 8):
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()  # TS109
            if (step + 1) % 4 == 0:
                optimizer.step()
                optimizer.zero_grad()
        """,
        fixed="""
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step, (x, y) in enumerate([(torch.randn(8, 4), torch.randn(8, 1))] * 8):
            loss = nn.functional.mse_loss(model(x), y)
            (loss / 4).backward()
            if (step + 1) % 4 == 0:
                optimizer.step()
                optimizer.zero_grad()
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, (x, y) in enumerate([(torch.randn(8, 4), torch.randn(8, 1))] * 8):
        loss = nn.functional.mse_loss(model(x), y) / 4
        loss.backward()
        if (step + 1) % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each step that only some rounds of a loop take."""
    for seen in events(file):
        for step in seen:
            if step.event.kind != "step" or not step.loops or not step.branches:
                continue
            loop = step.loops[-1]
            number = _period(step)
            if number is None or loop.frame.file is not file or loop.frame is not step.event.frame:
                continue
            backward = _backward(step, loop, seen)
            if backward is not None and _is_mean(file, backward, loop) and not _divided(file, loop, number):
                yield _finding(file, step, backward, number)


def _period(step: Seen) -> ast.expr | None:
    """The k of `if (i + 1) % k == 0:` around a step."""
    branch, way = step.branches[-1]
    test = branch.node.test if isinstance(branch.node, ast.If) else None
    if way != 0 or not isinstance(test, ast.Compare) or not isinstance(test.left, ast.BinOp):
        return None
    number = test.left.right
    if not isinstance(test.left.op, ast.Mod) or not isinstance(test.ops[0], ast.Eq):
        return None
    return number if isinstance(number, ast.Constant | ast.Name | ast.Attribute) else None


def _backward(step: Seen, loop: Loop, seen: list[Seen]) -> Seen | None:
    """The only backward of the loop, which each round takes; gradients are cleared only with the step."""
    here = inside(loop, seen)
    found = [each for each in here if each.event.kind == "backward"]
    steps = [each for each in here if each.event.kind == "step"]
    zeros = [each for each in here if each.event.kind == "zero"]
    if len(found) != 1 or len(steps) != 1 or not zeros or has(here, "opaque") or has(here, "gradient"):
        return None
    if any(zero.branches != step.branches for zero in zeros) or found[0].branches != step.branches[:-1]:
        return None
    each = found[0]
    return each if each.loops == step.loops and each.event.frame is loop.frame else None


def _is_mean(file: File, backward: Seen, loop: Loop) -> bool:
    """Whether the loss surely is a mean over the batch, as it comes from one of torch's losses."""
    loss = loss_of(backward)
    if isinstance(loss, ast.Name):
        bindings = file.reaching(loop.frame.scope).of(loss) or ()
        if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path:
            return False
        loss = bindings[0].value
    if not isinstance(loss, ast.Call):
        return False
    called = loop.frame.value(loss.func)
    if called is None or called.kind not in ("loss", "library"):
        return False
    made = called.call if called.kind == "loss" else loss
    name = (called.name or "").lower()
    if made is None or not name.endswith(("loss", "cross_entropy", "binary_cross_entropy_with_logits")):
        return False
    return all(keyword.arg not in ("reduction", "size_average", "reduce") for keyword in made.keywords)


def _divided(file: File, loop: Loop, number: ast.expr) -> bool:
    """Whether the number of batches, or a name like it, divides anything in the file."""
    text = ast.unparse(number)
    if isinstance(number, ast.Constant):
        return any(
            isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
            for node in ast.walk(loop.node)
        )
    divided = (f"/ {text}", f"/{text}", f"/= {text}", f"/ float({text})")
    return any(each in file.source.text for each in divided)


def _finding(file: File, step: Seen, backward: Seen, number: ast.expr) -> Finding:
    text = ast.unparse(number)
    loss = loss_of(backward)
    node = backward.event.node
    fix = Fix(f"Divide the loss by `{text}`.")
    direct = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.value is loss
    if isinstance(loss, ast.Name) and direct:
        fix = Fix(fix.description, safe=False, edits=(file.replace(loss, f"({loss.id} / {text})"),))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"gradients of `{text}` batches are added up, and the mean loss is not divided by `{text}`",
        why="the learning rate is larger by that factor than it says",
        fix=fix,
        related=(file.related(step.event.node, "the step uses the sum"),),
    )


_GROUPS = 2
"""So many steps used a group of undivided losses."""


@dataclass
class _Group:
    """The backward passes since an optimizer's gradients were cleared.

    Args:
        batches: line, loader and number of the batch of each; None for a loss that may have been divided.
        versions: of the gradients after the last one.
        times: how many groups before were undivided.
    """

    batches: list[tuple[Place, int, int] | None] = field(default_factory=list)
    versions: list[Any] | None = None
    times: int = 0

    def clear(self) -> None:
        """A new group begins."""
        self.batches.clear()
        self.versions = None


class Watch(Detector):
    """Looks for steps on the sum of the gradients of several batches, whose losses are means.

    Adam and its like take steps whose size does not depend on the gradient's: for them this is no mistake.
    """

    PAUSES = STEADY

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._pending = False
        self._mean: weakref.ref[Any] | None = None
        self._batch: tuple[int, int] | None = None
        self._current: tuple[Place, int, int] | None = None
        self._groups: ByIdentity[_Group] = ByIdentity()

    def on_optimizer_made(self, event: Event) -> None:
        """One whose steps grow with the gradients."""
        if type(event.subject).__name__ == "SGD":
            self._groups[event.subject] = _Group()

    def on_batch(self, event: Event) -> None:
        """What the next loss is computed from."""
        if self._groups:
            self._batch = None if event.subject is None else (id(event.subject), event.number)

    @sampled
    def on_loss(self, event: Event) -> None:
        """A mean over the batch."""
        if self._groups and event.options.get("reduction", "mean") == "mean":
            self._mean = weakref.ref(event.result)

    @sampled
    def on_backward(self, event: Event) -> None:
        """Whether it goes back from the mean itself."""
        self._current = None
        if self._batch is None or self._mean is None:
            return
        place = event.place if self._mean() is event.subject else None
        if place is not None:
            self._current = place, *self._batch

    @sampled
    def on_backward_ended(self, event: Event) -> None:
        """Whose gradients it was added to."""
        for optimizer, group in list(self._groups.items()):
            if self.gradients.of(optimizer).gave == self.gradients.now:
                self._pending = True
                group.batches.append(self._current)
                group.versions = versions(optimizer)

    def on_cleared(self, event: Event) -> None:
        """A new group."""
        for optimizer, group in list(self._groups.items()) if self._pending else ():
            if self.gradients.of(optimizer).cleared == self.gradients.now:
                group.clear()

    def on_step_began(self, event: Event) -> None:
        """Judges the group that the step uses."""
        group = self._groups.get(event.subject) if self._pending else None
        if group is None:
            return
        batches = set(group.batches)
        if len(batches) > 1 and len(batches) == len(group.batches) and None not in batches:
            same = len({batch and batch[:2] for batch in batches}) == 1
            # Where the gradients were changed since, they may have been divided themselves.
            if same and group.versions == versions(event.subject):
                group.times += 1
                if group.times >= _GROUPS:
                    self._tell(event, len(batches), group.batches[-1])
        group.clear()
        self._pending = any(other.batches for other in self._groups.values())

    def _tell(self, event: Event, count: int, last: tuple[Place, int, int] | None) -> None:
        self.found(
            f"The step uses the sum of the gradients of {count} batches, each of a loss that is a mean",
            why=f"it is as if the learning rate were {count} times as high",
            place=last[0] if last else None,
            fix=f"Divide the loss by the number of batches: `(loss / {count}).backward()`.",
            related=((event.place, "this step uses the sum"),),
            batches=count,
        )
