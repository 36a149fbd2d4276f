"""Where a variable of a running function got its value, read from the function's own source."""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import FrameType
from typing import TypeGuard

from torchstone.review.places import Place, locals_of


def made_at(frame: FrameType, line: int, name: str) -> Place | None:
    """The last line before a line of a frame that surely gave a local variable its value; None for unknown.

    Args:
        frame: the function at work.
        line: where it is.
        name: of the variable.
    """
    statement = _made(frame, line, name)
    return None if statement is None else Place(frame.f_code.co_filename, statement.lineno)


def value_of(frame: FrameType, line: int, name: str) -> ast.expr | None:
    """What a variable was set to there."""
    statement = _made(frame, line, name)
    return None if statement is None else statement.value


def name_given(frame: FrameType, line: int, value: object) -> str | None:
    """The name of a local variable that holds a value and stands on a line of a frame."""
    here = names_at(frame, line)
    return next((name for name, held in locals_of(frame).items() if held is value and name in here), None)


def names_at(frame: FrameType, line: int) -> set[str]:
    """The names that stand in the innermost statement of a line."""
    return {
        node.id
        for statement in _path(frame, line)[-1:]
        for node in ast.walk(statement)
        if isinstance(node, ast.Name)
    }


def _made(frame: FrameType, line: int, name: str) -> ast.Assign | ast.AugAssign | None:
    """Looks backwards through the blocks around a line."""
    path = _path(frame, line)
    tree = _tree(frame.f_code.co_filename)
    for depth in range(len(path) - 1, -1, -1):
        block = _block(path[depth - 1] if depth else tree, path[depth])
        for statement in reversed(block):
            if isinstance(statement, ast.Assign | ast.AugAssign) and name in _names(statement):
                return statement
            if _sets(statement, name):
                return None  # in a branch or in a loop, or by something else
        if depth and isinstance(path[depth - 1], ast.FunctionDef | ast.AsyncFunctionDef):
            return None
    return None


def _sets(statement: ast.stmt, name: str) -> bool:
    nodes = (node for node in ast.walk(statement) if isinstance(node, ast.Name) and node.id == name)
    return any(not isinstance(node.ctx, ast.Load) for node in nodes)


def _names(statement: ast.Assign | ast.AugAssign) -> set[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    flat = [
        part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])
    ]
    return {part.id for part in flat if isinstance(part, ast.Name)}


def _block(parent: ast.AST | None, statement: ast.stmt) -> list[ast.stmt]:
    """The statements before one in its block."""
    for name in ("body", "orelse", "finalbody"):
        held = getattr(parent, name, None)
        if isinstance(held, list) and statement in held:
            return held[: held.index(statement)]
    return []


def _path(frame: FrameType, line: int) -> list[ast.stmt]:
    """The statements around a line, the innermost last."""
    tree = _tree(frame.f_code.co_filename)
    path: list[ast.stmt] = []
    node: ast.AST | None = tree
    while node is not None:
        inner = next(
            (
                child
                for child in _statements(node)
                if child.lineno <= line <= (child.end_lineno or child.lineno)
            ),
            None,
        )
        if inner is not None:
            path.append(inner)
        node = inner
    return path


def _statements(node: ast.AST) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for name in ("body", "orelse", "finalbody", "handlers"):
        for child in getattr(node, name, None) or ():
            found.extend(child.body if isinstance(child, ast.ExceptHandler) else [child])
    return [child for child in found if isinstance(child, ast.stmt)]


@lru_cache(maxsize=64)
def _tree(file: str) -> ast.Module | None:
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None


def call_before(frame: FrameType, line: int, name: str) -> Place | None:
    """The one line up to a line of a function that calls something of a name; None where there are more.

    Args:
        frame: the function at work.
        line: where it is.
        name: of a function or a method; `div` stands for `/`, too.
    """
    path = _path(frame, line)
    functions = [each for each in path if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    within: ast.AST | None = functions[-1] if functions else _tree(frame.f_code.co_filename)
    lines = {node.lineno for node in ast.walk(within) if _calls(node, name)} if within is not None else set()
    before = {each for each in lines if each <= line}
    return Place(frame.f_code.co_filename, before.pop()) if len(before) == 1 else None


def changed_before(frame: FrameType, line: int, name: str) -> Place | None:
    """The one line up to a line of a function that changes a variable in place; None where there are more."""
    path = _path(frame, line)
    functions = [each for each in path if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    within: ast.AST | None = functions[-1] if functions else _tree(frame.f_code.co_filename)
    lines = (
        {node.lineno for node in ast.walk(within) if _changes(node, name)} if within is not None else set()
    )
    return Place(frame.f_code.co_filename, lines.pop()) if len(lines) == 1 else None


def _changes(node: ast.AST, name: str) -> TypeGuard[ast.stmt | ast.expr]:
    if isinstance(node, ast.AugAssign):
        targets: list[ast.expr] = [node.target]
    elif isinstance(node, ast.Assign):
        targets = [target for target in node.targets if isinstance(target, ast.Subscript)]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        ends = node.func.attr.endswith("_") and not node.func.attr.startswith("_")
        targets = [node.func.value] if ends and node.func.attr != "requires_grad_" else []
    else:
        return False
    bases = [target.value if isinstance(target, ast.Subscript) else target for target in targets]
    return any(isinstance(base, ast.Name) and base.id == name for base in bases)


def _calls(node: ast.AST, name: str) -> TypeGuard[ast.expr]:
    if isinstance(node, ast.BinOp):
        return name == "div" and isinstance(node.op, ast.Div)
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return name == (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None))
