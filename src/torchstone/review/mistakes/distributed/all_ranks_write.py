"""Every process of a distributed training writes the same file.

## What it does
Reports `torch.save` to a path that is the same on all ranks, in a program that joins a process group, when
neither the code around it nor any of the places that call it asks for the rank.

## Why is this bad?
The processes of one machine write over each other: the file may be torn, or hold the state of whichever rank
came last. On a shared disk all machines take part in it, and all wait for the disk.

## References
- [Save and load checkpoints with DDP](https://docs.pytorch.org/tutorials/intermediate/ddp_tutorial.html#save-and-load-checkpoints)
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.places import Place
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.origins import origins
from torchstone.review.syntax.ranks import is_guarded, names_rank, wraps
from torchstone.review.syntax.scopes import FunctionNode, Scope

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS905"
NAME = "all-ranks-write"
SEVERITY: Severity = "warning"
MENTIONS = ("save", "DistributedDataParallel|init_process_group")

BAD = (
    Example(
        """
        import torch
        import torch.distributed as dist
        from torch.nn.parallel import DistributedDataParallel

        dist.init_process_group("gloo")
        model = DistributedDataParallel(torch.nn.Linear(2, 1))
        print(model(torch.randn(4, 2)))
        torch.save(model.module.state_dict(), "model.pt")  # TS905
        """
    ),
)
GOOD = (
    """
    import os
    import tempfile

    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    folder = tempfile.mkdtemp()
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=0, world_size=1)
    model = DistributedDataParallel(torch.nn.Linear(2, 1))
    print(model(torch.randn(4, 2)))
    if dist.get_rank() == 0:
        torch.save(model.module.state_dict(), os.path.join(folder, "model.pt"))
    dist.destroy_process_group()
    """,
)

_BY_FRAMEWORK = re.compile(
    r"accelerat|\bfabric\b|lightning|deepspeed|world_size=1\b|nprocs=1\b", re.IGNORECASE
)
_OWN_PATH = re.compile(
    r"rank|gpu|device|proc|pid|host|uuid|worker|temp|tmp|shard|bytesio|node", re.IGNORECASE
)
_ALONE = re.compile(r"distributed|world_size|ddp|initialized|nproc|n_gpu|ngpu|is_available", re.IGNORECASE)
_JOINS = ("init_process_group", "DistributedDataParallel", "DDP")
_DEPTH = 5


def check(file: File) -> Iterator[Finding]:
    """Looks at each `torch.save` of a file that wraps a model for several processes."""
    saves = file.index.calls_by_name.get("save", [])
    if not saves or not (wraps(file) or "init_process_group" in file.index.calls_by_name):
        return
    if _BY_FRAMEWORK.search(file.source.text):
        return
    for call in saves:
        if file.name(call.func) != "torch.save" or len(call.args) != 2:
            continue
        if _is_same_path(file.frame_of(call), call.args[1]) and _everywhere(file, call, (), _DEPTH):
            yield _finding(file, call)


def _is_same_path(frame: Frame, path: ast.expr) -> bool:
    """Whether a path is surely the same on all ranks."""
    named = False
    for origin in origins(frame, path):
        node = origin.node
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = True
        telling = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
        if telling and _OWN_PATH.search(ast.unparse(node)):
            return False
    return named


def _everywhere(file: File, node: ast.AST, below: tuple[Scope, ...], depth: int) -> bool:
    """Whether a node runs on all ranks of a process group, by all the ways that lead there."""
    scope = file.index.scope_of(node)
    if is_guarded(file, node) or _may_be_guarded(file, node) or depth == 0 or scope in below:
        return False
    chain = (*below, scope)
    if _joins(file, scope):
        return True
    if not scope.is_function:
        return False
    callers = [(frame.file, call) for frame, call, _ in file.callers(scope)]
    if not callers or any(home is not file for home, _ in callers):
        return False
    return all(_everywhere(file, call, chain, depth - 1) for _, call in callers)


def _joins(file: File, scope: Scope) -> bool:
    """Whether a function joins the group or wraps a model itself, or calls one of the file's that does."""
    for name, calls in file.index.calls_by_name.items():
        for call in calls:
            if file.index.scope_of(call) is not scope:
                continue
            if name in _JOINS:
                return True
            called = file.value(call.func)
            inner = called.function if called is not None and called.kind == "function" else None
            if inner is not None and inner is not scope and _names_join(inner.node):
                return True
    return False


def _names_join(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Call) and ast.unparse(part.func).rsplit(".", 1)[-1] in _JOINS
        for part in ast.walk(node)
    )


def _may_be_guarded(file: File, node: ast.AST) -> bool:
    """Whether a condition around a node speaks of several processes, or of what a rank was asked for."""
    for above in file.index.ancestors(node):
        if isinstance(above, FunctionNode):
            break
        if isinstance(above, ast.If | ast.While) and _asks(file, above.test):
            return True
    scope = file.index.scope_of(node)
    return any(
        isinstance(statement, ast.If)
        and statement.lineno < getattr(node, "lineno", 0)
        and any(isinstance(part, ast.Return) for part in statement.body)
        and _asks(file, statement.test)
        for statement in scope.body
    )


def _asks(file: File, test: ast.expr) -> bool:
    if _ALONE.search(ast.unparse(test)):
        return True
    frame = file.frame_of(test)
    for part in ast.walk(test):
        if isinstance(part, ast.Name) and any(names_rank(o.node) for o in origins(frame, part)):
            return True
        if isinstance(part, ast.Attribute):
            stores = [s for each in file.index.stores.values() for s in each.get(part.attr, ())]
            if any(store.value is not None and names_rank(store.value) for store in stores):
                return True
    return False


def _finding(file: File, call: ast.Call) -> Finding:
    path = ast.unparse(call.args[1])
    edits_for = "if torch.distributed.get_rank() == 0:"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"every rank writes `{path}`: nothing on the way to this `torch.save` asks for the rank",
        why="processes that write one file at the same time can tear it",
        fix=Fix(f"Let one rank write: `{edits_for}`, and a `barrier()` behind it before anybody reads."),
    )


_PATHS = 200
"""So many files of a program are compared."""


class Watch(Detector):
    """Looks whether two processes of this machine wrote the same file at the same line."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._written: dict[tuple[str, str, int], str] = {}

    def on_saved(self, event: Event) -> None:
        """Notes where a file was written."""
        if self.ranks.world < 2 or not isinstance(event.file, str | os.PathLike):
            return
        path, place = os.path.realpath(event.file), event.place
        if place is not None and len(self._written) < _PATHS and os.path.isfile(path):
            self._written[path, place.file, place.line] = os.fspath(event.file)

    def on_end(self, event: Event) -> None:
        """Compares the files with those of the other processes."""
        self.ranks.tell("written", [list(key) for key in self._written])
        others = {
            rank: {(path, file, line) for path, file, line in told}
            for rank, told in self.ranks.heard("written").items()
            if rank != self.ranks.rank
        }
        for key, name in self._written.items():
            same = sorted(rank for rank, told in others.items() if key in told)
            if same:
                self._say(key, name, sorted([self.ranks.rank, *same]))

    def _say(self, key: tuple[str, str, int], name: str, ranks: list[int]) -> None:
        self.found(
            f"Ranks {', '.join(map(str, ranks))} write the same file, {name}",
            why="processes that write one file at the same time can tear it",
            place=Place(key[1], key[2]),
            fix="Let one rank write: `if torch.distributed.get_rank() == 0:`, and a `barrier()` behind it "
            "before anybody reads.",
            cause=key[1:],
            ranks=ranks,
        )
