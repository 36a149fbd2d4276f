"""The optimizer is made anew for every batch or epoch, and forgets its averages each time.

## What it does
Reports an optimizer with a memory (all but plain SGD) that is made, without a condition, inside a loop over
batches or epochs, for a model that outlives the loop's round.

## Why is this bad?
Momentum and Adam's running averages start from zero each time: Adam's first steps have the full learning
rate in every direction, and a schedule that follows the old optimizer has no effect. Nothing fails.

## References
- [torch.optim](https://docs.pytorch.org/docs/stable/optim.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import has, inside, made_inside, optimized_models, runs_once, stepped
from torchstone.review.syntax.values import Value

CODE = "TS117"
NAME = "optimizer-in-loop"
SEVERITY: Severity = "warning"
INVOLVES = ("backward", "step")

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(torch.randn(32, 4), torch.randn(32, 1)), batch_size=8)
        model = nn.Linear(4, 1)
        for x, y in loader:
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01)  # TS117
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(torch.randn(32, 4), torch.randn(32, 1)), batch_size=8)
    for fold in range(2):
        model = nn.Linear(4, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    """,
)

_BATCHES = re.compile(r"load|batch|train_(dl|data|iter)|train(ing)?_?set", re.IGNORECASE)
_RESTARTS = re.compile(
    r"fold|client|task|agent|trial|restart|reset|deepcopy|load_state_dict|member", re.IGNORECASE
)


def check(file: File) -> Iterator[Finding]:
    """Looks at the optimizer of each step in a loop."""
    done: set[ast.Call] = set()
    for seen in events(file):
        for step in seen:
            optimizer = step.event.target
            if step.event.kind != "step" or optimizer is None or not step.loops:
                continue
            call = optimizer.call
            if call is None or call in done or optimizer.frame is None or optimizer.frame.file is not file:
                continue
            loop = _round(step, optimizer, call)
            if loop is not None and has(inside(loop, seen), "backward"):
                done.add(call)
                yield _finding(file, step, call, loop)


def _round(step: Seen, optimizer: Value, call: ast.Call) -> Loop | None:
    """The loop over batches or epochs in whose body an optimizer with a memory is made."""
    models = optimized_models(optimizer)
    plain = optimizer.name == "torch.optim.SGD" and all(k.arg != "momentum" for k in call.keywords)
    if not models or not optimizer.sure or plain or optimizer.cls is not None:
        return None
    for loop in step.loops:
        if loop.frame is not optimizer.frame or call not in _direct(loop):
            continue
        if any(made_inside(model, loop) for model in models) or runs_once(loop):
            return None
        if _RESTARTS.search(ast.unparse(loop.node)) or not isinstance(loop.node, ast.For):
            return None
        head = f"{ast.unparse(loop.node.target)} {ast.unparse(loop.node.iter)}"
        epochs = "epoch" in head.lower() and loop is not step.loops[-1]
        return loop if epochs or (loop is step.loops[-1] and _BATCHES.search(head)) else None
    return None


def _direct(loop: Loop) -> list[ast.expr]:
    """What the statements of a loop's own body assign, under no condition."""
    return [node.value for node in loop.node.body if isinstance(node, ast.Assign)]


def _finding(file: File, step: Seen, call: ast.Call, loop: Loop) -> Finding:
    name = stepped(step) or "the optimizer"
    often = "batch" if loop is step.loops[-1] else "epoch"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{name}` is made anew for every {often} and forgets its running averages",
        why="momentum and adaptive rates start from zero each time",
        fix=Fix("Make the optimizer once, before the loop."),
        related=(loop.frame.file.related(loop.node, "in each round of this loop"),),
    )
