"""The arguments of calls, and the whole numbers that expressions stand for."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame


def whole(frame: Frame, node: ast.expr | None) -> int | None:
    """The whole number that an expression stands for."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = whole(frame, node.operand)
        return -inner if inner is not None else None
    value = frame.value(node) if node is not None else None
    constant = value.constant if value is not None and value.kind == "constant" else None
    return constant if isinstance(constant, int) and not isinstance(constant, bool) else None


def given(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    """An argument of a call, by its position or one of its names."""
    for keyword in call.keywords:
        if keyword.arg in names:
            return keyword.value
    if 0 <= position < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args):
        return call.args[position]
    return None
