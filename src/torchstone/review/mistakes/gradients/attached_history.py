"""Losses are summed or collected together with their graphs.

## What it does
Reports `total += loss` and `losses.append(loss)` in a training loop that goes back through the same loss,
when the sum or the list never reaches a backward pass itself.

## Why is this bad?
Each loss holds on to the graph that made it. Memory grows with every step, and each one is slower to
free, until it runs out or the epoch ends.

## References
- [My model reports out of memory](https://docs.pytorch.org/docs/stable/notes/faq.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import from_outside, goes_back, loss_of

CODE = "TS105"
NAME = "attached-history"
SEVERITY: Severity = "warning"
MENTIONS = ("backward", "+=|append")

BAD = (
    Example(
        """
        import torch

        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        total = 0
        for x in torch.randn(5, 4, 2):
            optimizer.zero_grad()
            loss = model(x).pow(2).mean()
            loss.backward()
            optimizer.step()
            total += loss  # TS105
        print(total)
        """,
        fixed="""
        import torch

        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        total = 0
        for x in torch.randn(5, 4, 2):
            optimizer.zero_grad()
            loss = model(x).pow(2).mean()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        print(total)
        """,
    ),
)
GOOD = (
    """
    import torch

    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    total = 0
    for x in torch.randn(5, 4, 2):
        optimizer.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(total)
    """,
    """
    import torch

    model = torch.nn.Linear(2, 1)
    losses = []
    for x in torch.randn(5, 4, 2):
        losses.append(model(x).pow(2).mean())
    sum(losses).backward()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at what is kept of each loss that a backward goes through."""
    done = set()
    for seen in events(file):
        for each in seen:
            if each.event.kind != "backward" or not each.loops or each.event.frame.file is not file:
                continue
            loss = loss_of(each)
            loop = each.loops[-1]
            if not isinstance(loss, ast.Name) or loop.frame is not each.event.frame or loss in done:
                continue
            done.add(loss)
            for kept, name, owner in _kept(file, loop.node, loss):
                scope = file.index.scope_of(owner)
                if not goes_back(file, scope, name) and from_outside(scope, name, loop.node):
                    yield _finding(file, kept, name, owner)


def _kept(file: File, loop: ast.AST, loss: ast.Name) -> Iterator[tuple[ast.Name, str, ast.stmt]]:
    """The uses of a loss that add it to a sum or a list."""
    scope = file.index.scope_of(loss)
    reaching = file.reaching(scope)
    for node in ast.walk(loop):
        if (
            isinstance(node, ast.AugAssign)
            and isinstance(node.op, ast.Add)
            and isinstance(node.target, ast.Name)
        ):
            value: ast.expr | None = node.value
            if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult | ast.Div):
                value = value.left
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func
            if not (isinstance(function, ast.Attribute) and function.attr == "append" and node.value.args):
                continue
            if not isinstance(function.value, ast.Name):
                continue
            value, name = node.value.args[0], function.value.id
        else:
            continue
        if not isinstance(value, ast.Name) or value.id != loss.id or file.index.scope_of(value) is not scope:
            continue
        if reaching.of(value) == reaching.of(loss):
            yield value, name, node


def _finding(file: File, kept: ast.Name, name: str, owner: ast.stmt) -> Finding:
    loss = kept.id
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        owner,
        f"`{name}` keeps each `{loss}` with its graph: memory grows with every step",
        why="a loss holds on to the graph that made it",
        fix=Fix(
            f"Keep `{loss}.item()` or `{loss}.detach()`.",
            safe=True,
            edits=(file.replace(kept, f"{loss}.detach()"),),
        ),
    )
