"""The model inside of DistributedDataParallel is trained without its wrapper.

## What it does
Reports a loss, gone back from in a training loop, that `model.module(...)` of a model wrapped in
`DistributedDataParallel` gives, in a file that does not average the gradients itself.

## Why is this bad?
The wrapper averages the gradients of the ranks, and it only does so for forwards that go through it. Past it
each process trains a model of its own on its own part of the data. Nothing fails: the models drift apart, and
the one that is saved has seen a part of the data only.

## References
- [DistributedDataParallel](https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.origins import origins
from torchstone.review.syntax.ranks import wrapped_by
from torchstone.review.syntax.training import loss_of

CODE = "TS906"
NAME = "wrapped-state"
SEVERITY: Severity = "warning"
MENTIONS = (".module(", "backward")

BAD = (
    Example(
        """
        import torch
        import torch.distributed as dist
        from torch.nn.parallel import DistributedDataParallel


        def train(net, loader):
            dist.init_process_group("gloo")
            model = DistributedDataParallel(net)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for x, y in loader:
                optimizer.zero_grad()
                loss = torch.nn.functional.mse_loss(model.module(x), y)  # TS906
                loss.backward()
                optimizer.step()
        """,
        fixed="""
        import torch
        import torch.distributed as dist
        from torch.nn.parallel import DistributedDataParallel


        def train(net, loader):
            dist.init_process_group("gloo")
            model = DistributedDataParallel(net)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for x, y in loader:
                optimizer.zero_grad()
                loss = torch.nn.functional.mse_loss(model(x), y)
                loss.backward()
                optimizer.step()
        """,
    ),
)
GOOD = (
    """
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel


    def train(net, loader):
        dist.init_process_group("gloo")
        model = DistributedDataParallel(net)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            print(model.module(x))
        if dist.get_rank() == 0:
            torch.save(model.module.state_dict(), "model.pt")
    """,
)

_BY_HAND = re.compile(r"all_reduce|allreduce|no_sync|average_grad|reduce_grad|sync_grad")


def check(file: File) -> Iterator[Finding]:
    """Looks at each backward whose loss is made by the module of a wrapped model."""
    text = file.source.text
    if ".module(" not in text or "backward" not in text or _BY_HAND.search(text):
        return
    reported: set[ast.AST] = set()
    for seen in (each for program in events(file) for each in program if each.event.kind == "backward"):
        found = _passed_by(seen)
        if found is None:
            continue
        frame, call, wrapper = found
        if frame.file is file and call not in reported:
            reported.add(call)
            yield _finding(file, call, *wrapper)


def _passed_by(seen: Seen) -> tuple[Frame, ast.Call, tuple[Frame, ast.Call]] | None:
    """The call of the inner module that a loss is made by; None where the wrapper is called too."""
    loss = loss_of(seen)
    if loss is None or not any(loop for loop in seen.loops):
        return None
    callers = tuple((call.frame, call.node) for call in seen.calls)
    found = None
    for origin in origins(seen.event.frame, loss, callers):
        node = origin.node
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr == "module":
            wrapper = wrapped_by(origin.frame, node.func.value, origin.callers)
            if wrapper is not None:
                found = origin.frame, node, wrapper
        elif wrapped_by(origin.frame, node.func, origin.callers) is not None:
            return None
    return found


def _finding(file: File, call: ast.Call, frame: Frame, wrapper: ast.Call) -> Finding:
    inner = ast.unparse(call.func)
    model = inner.removesuffix(".module")
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{inner}(...)` goes past the wrapper: the gradients of this loss are not averaged over the ranks",
        why="DistributedDataParallel averages the gradients of forwards that go through it only",
        fix=Fix(f"Call `{model}(...)`.", safe=False, edits=(file.replace(call.func, model),)),
        related=(frame.file.related(wrapper, "the model is wrapped here"),),
    )
