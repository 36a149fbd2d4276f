"""A metric over one rank's part of the data is given as that of the whole.

## What it does
Reports what an evaluation loop over a loader with a `DistributedSampler` has summed up, where it is used
after the loop, when nothing in the files that take part is reduced or gathered.

## Why is this bad?
Each rank counts its own part of the validation data. What rank 0 prints, or picks the best checkpoint by, is
the metric of one part: noisier than it looks, and different on each rank, so that ranks may even decide
differently, for instance when to stop.

## References
- [all_reduce](https://docs.pytorch.org/docs/stable/distributed.html#torch.distributed.all_reduce)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.modes import loader_of
from torchstone.review.syntax.origins import origins
from torchstone.review.syntax.ranks import names_rank
from torchstone.review.syntax.scopes import FunctionNode, Scope
from torchstone.review.syntax.values import Value

CODE = "TS907"
NAME = "local-metric"
SEVERITY: Severity = "warning"
MENTIONS = ("_grad|inference_mode",)
INVOLVES = ("DistributedSampler",)

BAD = (
    Example(
        """
        import torch
        from torch.utils.data import DataLoader, DistributedSampler


        @torch.no_grad()
        def evaluate(model, test_set):
            loader = DataLoader(test_set, batch_size=64, sampler=DistributedSampler(test_set, shuffle=False))
            model.eval()
            correct = total = 0
            for x, y in loader:
                correct += (model(x).argmax(1) == y).sum().item()
                total += len(y)
            return correct / total  # TS907
        """
    ),
)
GOOD = (
    """
    import torch
    import torch.distributed as dist
    from torch.utils.data import DataLoader, DistributedSampler


    @torch.no_grad()
    def evaluate(model, test_set):
        loader = DataLoader(test_set, batch_size=64, sampler=DistributedSampler(test_set, shuffle=False))
        model.eval()
        counts = torch.zeros(2)
        for x, y in loader:
            counts[0] += (model(x).argmax(1) == y).sum()
            counts[1] += len(y)
        dist.all_reduce(counts)
        return (counts[0] / counts[1]).item()
    """,
)

_TOGETHER = re.compile(
    r"reduce|gather|sync|metric_?s?\b.*dist|torchmetrics|accelerat|lightning|deepspeed|horovod"
)
_SAMPLERS = ("torch.utils.data.DistributedSampler", "torch.utils.data.distributed.DistributedSampler")
_NO_GRAD = re.compile(r"no_grad|inference_mode")
_TRAINS = ("backward", "step", "zero_grad")


def check(file: File) -> Iterator[Finding]:
    """Looks at loops without training over a loader with a distributed sampler."""
    if "_grad" not in file.source.text and "inference_mode" not in file.source.text:
        return
    if _TOGETHER.search(file.source.text):
        return
    for loop in file.index.nodes[ast.For]:
        if not isinstance(loop, ast.For) or not _evaluates(file, loop):
            continue
        loader = loader_of(file.frame_of(loop), loop.iter)
        sampler = _sampler(loader) if loader is not None else None
        if loader is None or sampler is None or loader.frame is None:
            continue
        others = (loader.frame.file, *file.project.importers(file))
        if any(_TOGETHER.search(other.source.text) for other in others):
            continue
        use = _use_after(file, loop)
        if use is not None:
            yield _finding(file, use, loop, loader.frame.file, sampler)


def _evaluates(file: File, loop: ast.For) -> bool:
    """Whether a loop runs without gradients and does not train."""
    if any(isinstance(n, ast.Attribute) and n.attr in _TRAINS for n in ast.walk(loop)):
        return False
    for above in file.index.ancestors(loop):
        if isinstance(above, ast.With) and any(
            _NO_GRAD.search(ast.unparse(i.context_expr)) for i in above.items
        ):
            return True
        if isinstance(above, FunctionNode):
            decorators = getattr(above, "decorator_list", [])
            return any(_NO_GRAD.search(ast.unparse(each)) for each in decorators)
    return False


def _sampler(loader: Value) -> ast.Call | None:
    """The distributed sampler that a loader is surely given."""
    if loader.call is None or loader.frame is None or not loader.sure:
        return None
    given = next((word.value for word in loader.call.keywords if word.arg == "sampler"), None)
    if given is None:
        return None
    made = [
        o for o in origins(loader.frame, given) if isinstance(o.node, ast.Call | ast.IfExp | ast.Constant)
    ]
    first = made[0] if made else None
    if first is None or not isinstance(first.node, ast.Call) or first.frame.file is not loader.frame.file:
        return None
    return first.node if first.frame.name(first.node.func) in _SAMPLERS else None


def _use_after(file: File, loop: ast.For) -> ast.AST | None:
    """The first statement behind the loop that uses a sum of it, unless it speaks of the rank."""
    scope = file.index.scope_of(loop)
    sums = {
        node.target.id
        for node in ast.walk(loop)
        if isinstance(node, ast.AugAssign)
        and isinstance(node.op, ast.Add)
        and isinstance(node.target, ast.Name)
    }
    counters = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    uses = [name for name in _loads_after(file, scope, loop) if name.id in sums - counters]
    if not uses:
        return None
    statement = file.statement(uses[0])
    if any(names_rank(file.statement(use)) for use in uses) or isinstance(
        statement, ast.For | ast.While | ast.If
    ):
        return None
    return statement


def _loads_after(file: File, scope: Scope, loop: ast.For) -> list[ast.Name]:
    end = loop.end_lineno or loop.lineno
    return [
        node
        for node in file.index.nodes[ast.Name]
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Load)
        and node.lineno > end
        and file.index.scope_of(node) is scope
    ]


def _finding(file: File, use: ast.AST, loop: ast.For, home: File, sampler: ast.Call) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        use,
        f"what is summed up over `{ast.unparse(loop.iter)}` is one rank's part: nothing adds up the ranks",
        why="the loader's DistributedSampler gives each rank another part of the data",
        fix=Fix("Sum over the ranks first: `torch.distributed.all_reduce(sums)`."),
        related=(
            file.related(loop, "the loop over the rank's part"),
            home.related(sampler, "the sampler that divides the data"),
        ),
    )
