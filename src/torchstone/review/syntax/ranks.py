"""Programs in several processes: who wraps a model, and which code only some ranks run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.review.syntax.origins import Origin, origins
from torchstone.review.syntax.scopes import FunctionNode

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame

WRAPPERS = frozenset(
    {
        "torch.nn.parallel.DistributedDataParallel",
        "torch.nn.parallel.distributed.DistributedDataParallel",
        "apex.parallel.DistributedDataParallel",
    }
)
_SHORT = "DistributedDataParallel"
_RANK = re.compile(
    r"rank|master|primary|chief|leader|coordinator|main_?proc|is_?main|proc(ess)?_?(id|index|idx)"
)
_NUMBERED = re.compile(r"rank|gpu|device|proc|worker|node|index|idx|^id$|^i$")


def wraps(file: File) -> list[ast.Call]:
    """The calls of the file that wrap a model in DistributedDataParallel."""
    if _SHORT not in file.source.text:
        return []
    names = {_SHORT} | {
        alias.asname
        for node in file.index.nodes[ast.ImportFrom]
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == _SHORT and alias.asname
    }
    calls = [call for name in sorted(names) for call in file.index.calls_by_name.get(name, ())]
    return [call for call in calls if call.args and file.name(call.func) in WRAPPERS]


def wrapped_by(
    frame: Frame, node: ast.expr, callers: tuple[tuple[Frame, ast.Call], ...] = ()
) -> tuple[Frame, ast.Call] | None:
    """The call that wrapped the model an expression stands for in DistributedDataParallel, if any did."""
    for origin in origins(frame, node, callers):
        if isinstance(origin.node, ast.Attribute) and origin.node.attr == "module":
            return None  # the model inside of the wrapper
        for part_frame, part in _stored(origin):
            if isinstance(part, ast.Call) and part_frame.name(part.func) in WRAPPERS:
                return part_frame, part
    return None


def _stored(origin: Origin) -> Iterator[tuple[Frame, ast.expr]]:
    """An origin, and for `self.model` what the class assigns to it."""
    yield origin.frame, origin.node
    if isinstance(origin.node, ast.Attribute):
        owner = origin.frame.value(origin.node.value)
        for cls in owner.cls.lineage() if owner is not None and owner.cls is not None else ():
            for store in cls.file.index.stores[cls.scope].get(origin.node.attr, ()):
                if store.value is not None:
                    yield cls.file.root(store.scope), store.value


def names_rank(node: ast.AST) -> bool:
    """Whether an expression speaks of the rank of the process: `rank == 0`, `is_main_process()`."""
    return any(_RANK.search(name.lower()) for name in _identifiers(node))


def tests_rank(test: ast.expr) -> bool:
    """Whether a condition may hold on some ranks only: by its words, or as it compares a device's number."""
    if names_rank(test):
        return True
    return any(
        isinstance(part, ast.Compare | ast.UnaryOp)
        and any(_NUMBERED.search(n.lower()) for n in _identifiers(part))
        for part in ast.walk(test)
    )


def _identifiers(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def is_guarded(file: File, node: ast.AST) -> bool:
    """Whether some condition around a node, or an early return before it, asks for the rank."""
    below: ast.AST = node
    for above in file.index.ancestors(node):
        if (
            isinstance(above, ast.If | ast.IfExp | ast.While)
            and below is not above.test
            and tests_rank(above.test)
        ):
            return True
        if isinstance(above, ast.BoolOp) and any(tests_rank(v) for v in above.values if v is not below):
            return True
        if isinstance(above, ast.With | ast.AsyncWith) and any(
            names_rank(i.context_expr) for i in above.items
        ):
            return True
        if isinstance(above, FunctionNode):
            if not isinstance(above, ast.Lambda) and any(names_rank(d) for d in above.decorator_list):
                return True
            return _left_before(above, below)
        below = above
    return False


def _left_before(function: ast.AST, statement: ast.AST) -> bool:
    """Whether an earlier statement of the function's body leaves it on some ranks."""
    for node in getattr(function, "body", ()) if not isinstance(function, ast.Lambda) else ():
        if node is statement:
            return False
        leaves = isinstance(node, ast.If) and any(isinstance(b, ast.Return | ast.Raise) for b in node.body)
        if isinstance(node, ast.If) and leaves and tests_rank(node.test):
            return True
    return False
