"""Schedules of learning rates: whose they are, how they were made, and how often they step."""

from __future__ import annotations

import ast

from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.modes import loader_of
from torchstone.review.syntax.values import Value

PLATEAU = "torch.optim.lr_scheduler.ReduceLROnPlateau"


def has_schedules(file: File) -> bool:
    """Whether a file may step a scheduler: a cheap question to ask first."""
    return "step" in file.index.calls_by_name and "chedul" in file.source.text


def schedule_steps(file: File) -> list[tuple[list[Seen], int]]:
    """Each step of a scheduler: the events of its program and its position among them."""
    return [
        (seen, position)
        for seen in events(file)
        for position, each in enumerate(seen)
        if each.event.kind == "scheduler"
    ]


def given(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    """What a call is given by position or under one of the names."""
    for keyword in call.keywords:
        if keyword.arg in names:
            return keyword.value
    if position < len(call.args) and not any(isinstance(each, ast.Starred) for each in call.args):
        return call.args[position]
    return None


def optimizer_of(scheduler: Value) -> Value | None:
    """The optimizer that a scheduler was made with."""
    if scheduler.call is None or scheduler.frame is None:
        return None
    node = given(scheduler.call, 0, "optimizer")
    value = scheduler.frame.value(node) if node is not None else None
    return value if value is not None and value.kind == "optimizer" else None


def is_batch_loop(loop: Loop) -> bool:
    """Whether a loop surely goes over batches."""
    if not isinstance(loop.node, ast.For | ast.AsyncFor):
        return False
    return loader_of(loop.frame, loop.node.iter) is not None


def rounds(loop: Loop) -> ast.expr | None:
    """The number of rounds of `for epoch in range(n)` (or `range(1, n + 1)`) as source; None for others."""
    if not isinstance(loop.node, ast.For):
        return None
    call: ast.expr = loop.node.iter
    while isinstance(call, ast.Call) and not _is_range(call) and call.args:
        call = call.args[0]  # tqdm(range(n))
    if not isinstance(call, ast.Call) or not _is_range(call) or not call.args:
        return None
    if len(call.args) == 1:
        return call.args[0]
    start, end = call.args[:2]
    one = isinstance(start, ast.Constant) and start.value == 1
    if one and isinstance(end, ast.BinOp) and isinstance(end.op, ast.Add):
        return end.left if isinstance(end.right, ast.Constant) and end.right.value == 1 else None
    return end if isinstance(start, ast.Constant) and start.value == 0 else None


def _is_range(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in ("range", "trange")
