"""A collective operation that only some of the processes reach.

## What it does
Reports `barrier`, `all_reduce`, `all_gather`, `broadcast` and the like (also `wait_for_everyone` and `gather`
of Accelerate, and `backward` through a model wrapped in `DistributedDataParallel`) under a condition such as
`if rank == 0:` when the other ranks run no counterpart: directly, or in a function that is called there.

## Why is this bad?
A collective waits until every process of the group has called it. The ranks that get there wait for ever, or
until the time-out kills the run; or they pair with another collective, and the numbers are wrong.

## References
- [Collective functions](https://docs.pytorch.org/docs/stable/distributed.html#collective-functions)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review import ranks
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.places import Place
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import origins, reaching
from torchstone.review.syntax.ranks import wrapped_by
from torchstone.review.syntax.scopes import FunctionNode, children

if TYPE_CHECKING:
    from pathlib import Path

    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS903"
NAME = "rank-branch-collective"
SEVERITY: Severity = "error"
MENTIONS = ("rank|Rank|RANK|main",)
INVOLVES = ("dist",)

BAD = (
    Example(
        """
        import torch
        import torch.distributed as dist

        dist.init_process_group("gloo")
        rank = dist.get_rank()
        loss = torch.tensor([float(rank)])
        if rank == 0:
            dist.all_reduce(loss)  # TS903
            print(loss / dist.get_world_size())
        """
    ),
    Example(
        """
        import torch
        import torch.distributed as dist


        def mean_over_ranks(value):
            total = torch.tensor([value])
            dist.all_reduce(total)
            return total.item() / dist.get_world_size()


        def report(rank, epoch, loss):
            if rank == 0:
                print(epoch, mean_over_ranks(loss))  # TS903
        """
    ),
)
GOOD = (
    """
    import os
    import tempfile

    import torch
    import torch.distributed as dist

    store = "file://" + os.path.join(tempfile.mkdtemp(), "store")
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    rank = dist.get_rank()
    loss = torch.tensor([float(rank)])
    dist.all_reduce(loss)
    if rank == 0:
        print(loss / dist.get_world_size())
    dist.destroy_process_group()
    """,
)

_GROUP_POSITION = {
    "barrier": 0,
    "monitored_barrier": 0,
    "all_reduce": 2,
    "all_gather": 2,
    "all_gather_object": 2,
    "all_gather_into_tensor": 2,
    "reduce_scatter": 3,
    "reduce_scatter_tensor": 3,
    "all_to_all": 2,
    "all_to_all_single": 4,
    "broadcast": 2,
    "broadcast_object_list": 2,
    "reduce": 3,
    "gather": 3,
    "gather_object": 3,
    "scatter": 3,
    "scatter_object_list": 3,
}
"""The collectives and the position of their `group`."""
_LIBRARIES = ("torch.distributed.", "torch.distributed.distributed_c10d.")
_ACCELERATE = words("wait_for_everyone gather gather_for_metrics reduce")
_RANKS = words(
    "rank local_rank global_rank world_rank process_rank ddp_rank ddp_local_rank get_rank get_local_rank "
    "get_global_rank RANK LOCAL_RANK process_index local_process_index"
)
_MAIN = words(
    "is_main_process is_local_main_process is_main is_master is_master_process is_rank_zero is_rank_0 "
    "is_rank0 is_global_zero main_process master_process is_primary is_local_master"
)
_HARMLESS_TEST = re.compile(r"initialized|available|world_size|distributed|ddp", re.IGNORECASE)
_DEPTH = 3


@dataclass(frozen=True, eq=False)
class _Site:
    """A collective that some ranks reach: the call in this file, the operation, and the condition."""

    call: ast.Call
    collective: ast.Call
    home: File
    test: ast.expr
    side: str


def check(file: File) -> Iterator[Finding]:
    """Looks at what stands under each condition on the rank."""
    text = file.source.text
    if "rank" not in text.lower() and "main" not in text:
        return
    sites = [
        site for node in file.index.nodes[ast.If] if isinstance(node, ast.If) for site in _sites(file, node)
    ]
    if len({_ranks_of(site) for site in sites}) > 1:
        return  # `if rank != 0: barrier()` ... `if rank == 0: barrier()`: they meet
    seen: set[ast.AST] = set()
    for site in sites:
        if site.call not in seen:
            seen.add(site.call)
            yield _finding(file, site)


def _sites(file: File, node: ast.If) -> Iterator[_Site]:
    if not _is_partial(file, node.test):
        return
    branches = {"then": node.body, "else": node.orelse}
    if _leaves(node.body):
        branches["else"] = [*node.orelse, *_rest(file, node)]
    for side, other in (("then", "else"), ("else", "then")):
        if side == "else" and isinstance(node.test, ast.BoolOp):
            continue
        found = list(_collectives(file, branches[side]))
        if not found or _runs_unknown(file, branches[other]):
            continue
        for call, home, collective in found:
            if not _is_expected(file, call):
                yield _Site(call, collective, home, node.test, side)


def _ranks_of(site: _Site) -> bool:
    """Whether it is the first rank that gets there, and not the others."""
    text = ast.unparse(site.test)
    negated = "!=" in text or "not " in text
    return negated == (site.side == "else")


def _is_expected(file: File, node: ast.AST) -> bool:
    """Whether a context around it waits for the error, or lets ranks leave early."""
    contexts = [a for a in file.index.ancestors(node) if isinstance(a, ast.With | ast.AsyncWith)]
    texts = " ".join(ast.unparse(item.context_expr) for each in contexts for item in each.items)
    return any(word in texts.lower() for word in ("raises", "join", "no_sync"))


def _is_partial(file: File, test: ast.expr) -> bool:
    """Whether a condition surely holds on some ranks and not on others (in a group of several)."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_is_partial(file, value) for value in test.values)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _is_rank(file, test.operand) or _is_main(test.operand)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right = test.left, test.comparators[0]
        if isinstance(test.ops[0], ast.Eq | ast.NotEq):
            return (_is_zero(right) and _is_rank(file, left)) or (_is_zero(left) and _is_rank(file, right))
        if isinstance(test.ops[0], ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List):
            return any(_is_zero(part) for part in right.elts) and _is_rank(file, left)
        return False
    return _is_main(test)


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0 and node.value is not False


def _is_rank(file: File, node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        if _last(node.func) == "int" and node.args:
            return _is_rank(file, node.args[0])
        if _last(node.func) in ("get", "getenv") and node.args:
            return _is_rank(file, node.args[0])
        return _last(node.func) in _RANKS
    if isinstance(node, ast.Subscript):
        return _is_rank(file, node.slice)
    if isinstance(node, ast.Constant):
        return node.value in ("RANK", "LOCAL_RANK")
    if isinstance(node, ast.Name) and any(b.kind == "for" for b in reaching(file.frame_of(node), node)):
        return False
    return _last(node) in _RANKS


def _is_main(node: ast.expr) -> bool:
    return _last(node.func if isinstance(node, ast.Call) else node) in _MAIN


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _leaves(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


def _rest(file: File, node: ast.stmt) -> list[ast.stmt]:
    """The statements after one in the same body."""
    body = getattr(file.index.parents[node], "body", ())
    return body[body.index(node) + 1 :] if isinstance(body, list) and node in body else []


def _calls(body: list[ast.stmt]) -> Iterator[ast.Call]:
    """The calls of statements, without those of functions that are only defined there."""
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        if isinstance(node, FunctionNode | ast.ClassDef):
            continue
        if isinstance(node, ast.Call):
            yield node
        stack.extend(reversed(children(node)))


def _collectives(file: File, body: list[ast.stmt]) -> Iterator[tuple[ast.Call, File, ast.Call]]:
    """The calls of a body that are collectives or run one, each with it and its file."""
    for call in _calls(body):
        frame = file.frame_of(call)
        if _is_collective(frame, call) or _is_wrapped_backward(frame, call):
            yield call, file, call
        else:
            found = _inside(frame, call, _DEPTH)
            if found is not None:
                yield call, *found


def _is_collective(frame: Frame, call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Name | ast.Attribute):
        return False
    name = frame.name(call.func)
    if name is not None and name.startswith(_LIBRARIES):
        position = _GROUP_POSITION.get(name.rsplit(".", 1)[-1])
        whole = all(keyword.arg not in ("group", None) for keyword in call.keywords)
        return position is not None and whole and len(call.args) <= position
    if isinstance(call.func, ast.Attribute) and call.func.attr in _ACCELERATE:
        base = frame.value(call.func.value)
        return base is not None and base.name == "accelerate.Accelerator"
    return False


def _is_wrapped_backward(frame: Frame, call: ast.Call) -> bool:
    """Whether gradients of a wrapped model are computed: its processes meet in every backward."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "backward":
        return False
    if "DistributedDataParallel" not in frame.file.source.text:
        return False
    return any(
        isinstance(origin.node, ast.Call)
        and isinstance(origin.node.func, ast.Name | ast.Attribute)
        and wrapped_by(origin.frame, origin.node.func, origin.callers) is not None
        for origin in origins(frame, call.func.value)
    )


def _inside(frame: Frame, call: ast.Call, depth: int) -> tuple[File, ast.Call] | None:
    """The collective that a call of the project's own function surely runs."""
    callee = frame.callee(call) if depth else None
    if callee is None or callee.scope.is_generator:
        return None
    for inner in _calls(callee.scope.body):
        if not _surely_runs(callee, inner):
            continue
        if _is_collective(callee, inner):
            return callee.file, inner
        found = _inside(callee, inner, depth - 1)
        if found is not None:
            return found
    return None


def _surely_runs(frame: Frame, node: ast.AST) -> bool:
    """Whether a node of a function runs whenever the function does, in a program of several processes."""
    for above in frame.file.index.ancestors(node):
        if above is frame.scope.node:
            break
        if isinstance(above, ast.If | ast.IfExp | ast.BoolOp) and not _is_harmless(above):
            return False
    line = getattr(node, "lineno", 0)
    for statement in frame.scope.body:
        if statement.lineno >= line:
            return True
        may_leave = any(isinstance(part, ast.Return | ast.Raise) for part in ast.walk(statement))
        if isinstance(statement, ast.If) and may_leave and not _is_harmless(statement):
            return False
    return True


def _is_harmless(node: ast.AST) -> bool:
    """Whether a condition only asks whether there are several processes."""
    test = getattr(node, "test", None)
    if not isinstance(test, ast.expr):
        return False
    return _HARMLESS_TEST.search(ast.unparse(test)) is not None


def _runs_unknown(file: File, body: list[ast.stmt]) -> bool:
    """Whether the other ranks run a collective, or anything that may hold one."""
    for call in _calls(body):
        frame = file.frame_of(call)
        if _is_collective(frame, call):
            return True
        if file.callable_name(frame, call) is None and not _is_simple_method(frame, call):
            return True
    return False


def _is_simple_method(frame: Frame, call: ast.Call) -> bool:
    """`logger.info(...)`, `results.append(...)`, `x.item()`."""
    if not isinstance(call.func, ast.Attribute):
        return False
    base = frame.value(call.func.value)
    known = base is not None and base.kind in ("tensor", "optimizer", "scheduler", "constant")
    return known or call.func.attr in words("info debug warning append extend update item join format close")


def _finding(file: File, site: _Site) -> Finding:
    condition = ast.unparse(site.test)
    who = f"where `{condition}`" if site.side == "then" else f"where not `{condition}`"
    operation = ast.unparse(site.collective.func)
    if site.collective is site.call:
        message = f"only the ranks {who} reach `{operation}(...)`, which waits for all ranks"
    else:
        called = ast.unparse(site.call.func)
        message = (
            f"only the ranks {who} call `{called}(...)`, which waits for all ranks at `{operation}(...)`"
        )
    related = [file.related(site.test, "the others go another way here")]
    if site.collective is not site.call:
        related.append(site.home.related(site.collective, "all ranks have to meet here"))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        site.call,
        message,
        why=_WHY,
        fix=Fix("Call it on all ranks, and keep under the condition only what one rank should do."),
        related=tuple(related),
    )


_WHY = "a collective ends when every process has called it: these wait for ever, or meet a wrong one"
_FAILURE = re.compile(
    r"gloo|nccl|timed out|time-?out|connection (?:was )?(?:closed|reset)|collective|DistBackend|SIGABRT",
    re.IGNORECASE,
)


class Watch(Detector):
    """Notes each meeting of the processes, and when one fails, tells where each of them stands."""

    AFTER = ("wrapped", "collective", "joined")

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._awaited = False

    def on_collective(self, event: Event) -> None:
        """The program calls a function in which all processes meet."""
        self.ranks.meet(event.subject, event.frame)

    def on_collective_ended(self, event: Event) -> None:
        """They met."""
        self.ranks.part()

    def on_forward_began(self, event: Event) -> None:
        """Wrapped models send their buffers around."""
        if self._meets_in(event.subject) and event.subject.will_sync_module_buffers():
            self.ranks.meet("forward", event.frame)

    def on_forward(self, event: Event) -> None:
        """And average gradients in the backward pass of each training forward."""
        if event.root and self._meets_in(event.subject):
            self.ranks.part()
            self._awaited |= event.recording and event.subject.require_backward_grad_sync

    def on_backward(self, event: Event) -> None:
        """Gradients of a wrapped model are averaged."""
        if self._awaited:
            self.ranks.meet("backward", event.frame)

    def on_backward_ended(self, event: Event) -> None:
        """They are."""
        if self._awaited:
            self._awaited = False
            self.ranks.part()

    def on_crash(self, event: Event) -> None:
        """Compares where the processes stand: this one among its group, or those that it spawned."""
        if not _FAILURE.search(f"{type(event.subject).__name__}: {event.subject}"):
            return
        if self.ranks.several:
            self._judge(self.ranks.folder, self.ranks.rank)
        for folder in self.watcher.spawned.groups():
            told = ranks.heard(folder, "found").values()
            if not any(one["code"] == self.code for each in told for one in each):
                self._judge(folder, None)

    def _meets_in(self, module: Any) -> bool:
        return self.ranks.several and ranks.wraps_for_all(module, self.ranks.world)

    def _judge(self, folder: Path | None, rank: int | None) -> None:
        standing, ended = ranks.standings(folder), ranks.heard(folder, "ended")
        for one, mine in standing.items():
            for other, theirs in standing.items() if mine.inside and rank in (None, one) else ():
                left = ended.get(other) is False
                number = _parted(mine, theirs, left) if other != one else None
                if number is not None:
                    self._say((one, mine.meetings[number]), (other, theirs.meetings.get(number)))
                    return

    def _say(self, mine: tuple[int, ranks.Meeting], theirs: tuple[int, ranks.Meeting | None]) -> None:
        (rank, here), (other, there) = mine, theirs
        # All that see it say the same: a function that the program calls first, then the lower rank.
        if there is not None and (there.name in _CALLS, other) < (here.name in _CALLS, rank):
            rank, here, other, there = other, there, rank, here
        stood = "" if there is None else there.name
        stands = f"stands in `{stood}`" if stood else "has ended"
        branch = _branch(here, there)
        related = [(Place(*line), f"rank {rank} waits here, in `{here.name}`") for line in here.lines[-1:]]
        reached = there.lines[-1:] if there is not None else []
        related += [(Place(*line), f"rank {other} stands here, in `{stood}`") for line in reached]
        self.found(
            f"Rank {rank} waits for all ranks in `{here.name}`, and rank {other} {stands}: only some ranks "
            "come here",
            why=_WHY,
            place=branch,
            fix="Call it on all ranks, and keep under the condition only what one rank should do.",
            related=tuple(each for each in related if each[0] != branch),
            meeting=here.number,
        )


_CALLS = ("forward", "backward")
"""What the wrapper does itself; a function that the program calls is the likelier mistake."""


def _parted(mine: ranks.Standing, theirs: ranks.Standing, left: bool) -> int | None:
    """The number of the meeting to which the two came from different lines; None where that is not sure.

    Args:
        mine: that process waits.
        theirs: another.
        left: the other has come to its end.
    """
    common = sorted(set(mine.meetings) & set(theirs.meetings))
    same = [n for n in common if mine.meetings[n][1:] == theirs.meetings[n][1:]]
    apart = [n for n in common if not same or n > same[-1]]
    if any(mine.meetings[n].name != theirs.meetings[n].name for n in apart):
        return apart[0]
    if left and theirs.begun < mine.begun:
        return apart[0] if apart else mine.begun
    return None


def _branch(here: ranks.Meeting, there: ranks.Meeting | None) -> Place | None:
    """The line at which the way to one meeting leaves the way to the other."""
    others = [] if there is None else there.lines
    for place, line in enumerate(here.lines):
        if place >= len(others) or others[place] != line:
            return Place(*line)
    return Place(*here.lines[-1]) if here.lines else None
