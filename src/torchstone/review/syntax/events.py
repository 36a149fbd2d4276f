"""What happens in a program, as far as training is about it: a tree of events, loops, branches and calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchstone.review.syntax.scopes import LoopNode, Scope
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame

EventKind = Literal[
    "backward",  # the loss is the receiver or the first argument of `node`
    "zero",  # target: the optimizer or module whose gradients are cleared; None: some gradients
    "step",  # target: the optimizer
    "scheduler",  # target: the scheduler that steps
    "train",  # target: the module; None: unknown
    "eval",
    "mode",  # a mode that reading cannot tell
    "forward",  # target: the module that is called
    "gradient",  # gradients are computed or set by hand
    "update",  # parameters are changed by hand
    "clip",  # gradients are clipped
    "opaque",  # a call that cannot be followed; `values` is what it is given
]
Switching = Literal["off", "on", "unknown"]


@dataclass(eq=False)
class Event:
    """One thing that happens."""

    kind: EventKind
    node: ast.expr | ast.stmt
    frame: Frame
    target: Value | None = None
    values: tuple[Value, ...] = ()


@dataclass(eq=False)
class Block:
    """Parts in the order in which they run; `ends` when nothing after it in the same body runs."""

    parts: list[Part] = field(default_factory=list)
    ends: bool = False


@dataclass(eq=False)
class Call:
    """A call that is followed."""

    node: ast.Call
    frame: Frame
    body: Block
    scope: Scope


@dataclass(eq=False)
class Loop:
    """A loop."""

    node: LoopNode
    frame: Frame
    body: Block


@dataclass(eq=False)
class Branch:
    """Several ways of which one is gone; the last may be empty."""

    node: ast.stmt
    paths: list[Block]


@dataclass(eq=False)
class Switch:
    """A body that runs with the recording of gradients off, on, or unknown."""

    node: ast.AST
    kind: Switching
    body: Block


Part: TypeAlias = Event | Call | Loop | Branch | Switch


@dataclass(frozen=True, eq=False)
class Seen:
    """An event and all that is around it, from the outside in."""

    event: Event
    loops: tuple[Loop, ...]
    branches: tuple[tuple[Branch, int], ...]
    calls: tuple[Call, ...]
    recording: Switching
    """Whether gradients are recorded: "on", "off" or "unknown"."""

    def place(self, file: File) -> ast.expr | ast.stmt:
        """The node in `file` that stands for the event: itself, or the call in `file` that leads to it."""
        if self.event.frame.file is file:
            return self.event.node
        for call in reversed(self.calls):
            if call.frame.file is file:
                return call.node
        return self.event.node


def scan(block: Block, recording: Switching = "on") -> Iterator[Seen]:
    """All events of a block in order, each with what is around it."""
    yield from _scan(block, (), (), (), recording)


def _scan(
    block: Block,
    loops: tuple[Loop, ...],
    branches: tuple[tuple[Branch, int], ...],
    calls: tuple[Call, ...],
    recording: Switching,
) -> Iterator[Seen]:
    for part in block.parts:
        if isinstance(part, Event):
            yield Seen(part, loops, branches, calls, recording)
        elif isinstance(part, Loop):
            yield from _scan(part.body, (*loops, part), branches, calls, recording)
        elif isinstance(part, Call):
            yield from _scan(part.body, loops, branches, (*calls, part), recording)
        elif isinstance(part, Switch):
            yield from _scan(part.body, loops, branches, calls, part.kind)
        else:
            for number, path in enumerate(part.paths):
                yield from _scan(path, loops, (*branches, (part, number)), calls, recording)
