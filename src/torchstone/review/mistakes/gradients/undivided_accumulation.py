"""Gradients of several batches are added up, and the mean loss is not divided by their number.

## What it does
Reports a loop that goes back in every round and steps in every k-th, when the loss is one of torch's means
and nothing divides it, the learning rate or the gradients.

## Why is this bad?
The step uses k times the mean gradient: the effective learning rate is k times the one that was written
down, and changing k changes training.

## References
- [Gradient accumulation](https://docs.pytorch.org/docs/stable/notes/amp_examples.html#gradient-accumulation)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import has, inside, loss_of

CODE = "TS109"
NAME = "undivided-accumulation"
SEVERITY: Severity = "warning"
MENTIONS = ("%", "step")
INVOLVES = ("backward",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step, (x, y) in enumerate([(torch.randn(8, 4), torch.randn(8, 1))] * 8):
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()  # TS109
            if (step + 1) % 4 == 0:
                optimizer.step()
                optimizer.zero_grad()
        """,
        fixed="""
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step, (x, y) in enumerate([(torch.randn(8, 4), torch.randn(8, 1))] * 8):
            loss = nn.functional.mse_loss(model(x), y)
            (loss / 4).backward()
            if (step + 1) % 4 == 0:
                optimizer.step()
                optimizer.zero_grad()
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, (x, y) in enumerate([(torch.randn(8, 4), torch.randn(8, 1))] * 8):
        loss = nn.functional.mse_loss(model(x), y) / 4
        loss.backward()
        if (step + 1) % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each step that only some rounds of a loop take."""
    for seen in events(file):
        for step in seen:
            if step.event.kind != "step" or not step.loops or not step.branches:
                continue
            loop = step.loops[-1]
            number = _period(step)
            if number is None or loop.frame.file is not file or loop.frame is not step.event.frame:
                continue
            backward = _backward(step, loop, seen)
            if backward is not None and _is_mean(file, backward, loop) and not _divided(file, loop, number):
                yield _finding(file, step, backward, number)


def _period(step: Seen) -> ast.expr | None:
    """The k of `if (i + 1) % k == 0:` around a step."""
    branch, way = step.branches[-1]
    test = branch.node.test if isinstance(branch.node, ast.If) else None
    if way != 0 or not isinstance(test, ast.Compare) or not isinstance(test.left, ast.BinOp):
        return None
    number = test.left.right
    if not isinstance(test.left.op, ast.Mod) or not isinstance(test.ops[0], ast.Eq):
        return None
    return number if isinstance(number, ast.Constant | ast.Name | ast.Attribute) else None


def _backward(step: Seen, loop: Loop, seen: list[Seen]) -> Seen | None:
    """The only backward of the loop, which each round takes; gradients are cleared only with the step."""
    here = inside(loop, seen)
    found = [each for each in here if each.event.kind == "backward"]
    steps = [each for each in here if each.event.kind == "step"]
    zeros = [each for each in here if each.event.kind == "zero"]
    if len(found) != 1 or len(steps) != 1 or not zeros or has(here, "opaque") or has(here, "gradient"):
        return None
    if any(zero.branches != step.branches for zero in zeros) or found[0].branches != step.branches[:-1]:
        return None
    each = found[0]
    return each if each.loops == step.loops and each.event.frame is loop.frame else None


def _is_mean(file: File, backward: Seen, loop: Loop) -> bool:
    """Whether the loss surely is a mean over the batch, as it comes from one of torch's losses."""
    loss = loss_of(backward)
    if isinstance(loss, ast.Name):
        bindings = file.reaching(loop.frame.scope).of(loss) or ()
        if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path:
            return False
        loss = bindings[0].value
    if not isinstance(loss, ast.Call):
        return False
    called = loop.frame.value(loss.func)
    if called is None or called.kind not in ("loss", "library"):
        return False
    made = called.call if called.kind == "loss" else loss
    name = (called.name or "").lower()
    if made is None or not name.endswith(("loss", "cross_entropy", "binary_cross_entropy_with_logits")):
        return False
    return all(keyword.arg not in ("reduction", "size_average", "reduce") for keyword in made.keywords)


def _divided(file: File, loop: Loop, number: ast.expr) -> bool:
    """Whether the number of batches, or a name like it, divides anything in the file."""
    text = ast.unparse(number)
    if isinstance(number, ast.Constant):
        return any(
            isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
            for node in ast.walk(loop.node)
        )
    divided = (f"/ {text}", f"/{text}", f"/= {text}", f"/ float({text})")
    return any(each in file.source.text for each in divided)


def _finding(file: File, step: Seen, backward: Seen, number: ast.expr) -> Finding:
    text = ast.unparse(number)
    loss = loss_of(backward)
    node = backward.event.node
    fix = Fix(f"Divide the loss by `{text}`.")
    direct = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.value is loss
    if isinstance(loss, ast.Name) and direct:
        fix = Fix(fix.description, safe=False, edits=(file.replace(loss, f"({loss.id} / {text})"),))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"gradients of `{text}` batches are added up, and the mean loss is not divided by `{text}`",
        why="the learning rate is larger by that factor than it says",
        fix=fix,
        related=(file.related(step.event.node, "the step uses the sum"),),
    )
