"""A graph is kept after the backward pass, though nothing goes through it again.

## What it does
Reports `backward(retain_graph=True)` in a loop whose graph is made anew in each round, when no other
backward pass follows in the loop.

## Why is this bad?
The graph's intermediate results stay in memory until the loss is dropped. Often the argument was added to
silence "Trying to backward through the graph a second time", whose cause is then still there.

## References
- [Tensor.backward](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.gradients import way_back
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.gradients import gradient_sources
from torchstone.review.syntax.training import has, inside, loss_of
from torchstone.review.syntax.values import Class

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS106"
NAME = "retain-graph"
SEVERITY: Severity = "warning"
MENTIONS = ("retain_graph", "backward")

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
            loss.backward(retain_graph=True)  # TS106
            optimizer.step()
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
        output = model(x)
        nn.functional.mse_loss(output, y).backward(retain_graph=True)
        (0.1 * output.abs().mean()).backward()
        optimizer.step()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each backward that keeps its graph."""
    if "retain_graph" not in file.source.text:
        return
    done: set[ast.AST] = set()
    for seen in events(file):
        for each in seen:
            node = each.event.node
            if each.event.kind != "backward" or not each.loops or each.event.frame.file is not file:
                continue
            kept = _kept(node)
            if kept is None or node in done or not _made_in_round(file, each, each.loops[-1], seen):
                continue
            done.add(node)
            yield _finding(file, each, kept)


def _kept(node: ast.AST) -> ast.keyword | None:
    """The argument that keeps the graph."""
    for keyword in node.keywords if isinstance(node, ast.Call) else ():
        if keyword.arg == "retain_graph" and isinstance(keyword.value, ast.Constant):
            return keyword if keyword.value.value is True else None
    return None


def _made_in_round(file: File, backward: Seen, loop: Loop, seen: list[Seen]) -> bool:
    """Whether the whole graph behind a loss is made in the loop's own round, and nothing goes back again."""
    here = inside(loop, seen)
    again = [each for each in here if each.event.kind == "backward"]
    if len(again) != 1 or has(here, "gradient") or has(here, "opaque") or loop.frame.file is not file:
        return False
    if loop.frame is not backward.event.frame or any(name in file.source.text for name in ("hook", ".grad(")):
        return False
    loss = loss_of(backward)
    sources = gradient_sources(backward.event.frame, loss) if loss is not None else None
    if not sources or any(source.kind == "leaf" for source in sources):
        return False
    forwards = [source.node for source in sources if source.kind == "forward"]
    return bool(forwards) and all(_is_fresh(file, node, loop) for node in forwards)


def _is_fresh(file: File, node: ast.expr, loop: Loop) -> bool:
    """Whether a forward runs in the loop, on nothing that an earlier round or the time before it computed."""
    if not isinstance(node, ast.Call) or loop.node not in file.index.ancestors(node) or node.keywords:
        return False
    frame = file.frame_of(node)
    model = frame.value(node.func)
    if model is None or (model.cls is not None and _has_state(model.cls)):
        return False
    for argument in node.args:
        sources = gradient_sources(frame, argument)
        if not sources or any(source.kind != "data" for source in sources):
            return False
    return True


def _has_state(cls: Class) -> bool:
    """Whether a model keeps something from one call to the next: `self.hidden = hidden`."""
    return any(
        store.scope.name != "__init__"
        for part in cls.lineage()
        for stores in part.file.index.stores[part.scope].values()
        for store in stores
    )


def _finding(file: File, backward: Seen, kept: ast.keyword) -> Finding:
    node = backward.event.node
    fix = Fix("Leave `retain_graph=True` out.")
    if isinstance(node, ast.Call) and not node.args and node.keywords == [kept]:
        fix = Fix(fix.description, safe=True, edits=(file.replace(node, f"{ast.unparse(node.func)}()"),))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        "the graph is kept, and nothing goes back through it again",
        why="its intermediate results stay in memory",
        fix=fix,
    )


_STEPS = 10
_TIMES = 5
"""So often a graph was kept at a place, and the next backward pass went through another one."""


class Watch(Detector):
    """Looks whether any backward pass goes through what an earlier one kept.

    Operations are numbered as they are recorded: one that is older than the last backward pass belongs to a
    graph that was kept.
    """

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._newest = -1
        self._kept: Place | None = None
        self._times: dict[Place, int] = {}
        self._used = False

    def on_backward(self, event: Event) -> None:
        """Whether it goes where an earlier one went."""
        if self._used or self.stream.step >= _STEPS:
            return
        self._pass_through(event.subject)
        self._kept = None
        if event.retain_graph and not event.create_graph and event.inputs is None:
            self._kept = event.place

    def on_gradient(self, event: Event) -> None:
        """A pass of another kind."""
        if not self._used and self.stream.step < _STEPS:
            self._pass_through(event.subject)
            self._kept = None

    def _pass_through(self, loss: Any) -> None:
        start = getattr(loss, "grad_fn", None)
        if start is None:
            return
        if self._times or self._kept is not None:
            numbers = [node and _number(node) for node in way_back(loss)]
            if any(number is None or number <= self._newest for number in numbers):
                self._used = True  # somebody needs a graph that was kept, or it is too large to say
                return
        self._newest = max(self._newest, _number(start))
        place = self._kept
        if place is not None:
            self._times[place] = self._times.get(place, 0) + 1
            if self._times[place] >= _TIMES:
                self._tell(place)

    def _tell(self, place: Place) -> None:
        self.found(
            "The graph is kept after the backward pass, and no later pass goes through it",
            why="what it holds stays in memory until the loss is dropped",
            place=place,
            fix="Leave `retain_graph=True` out.",
        )


def _number(node: Any) -> int:
    """The age of an operation; leaves have none."""
    return int(node._sequence_nr())
