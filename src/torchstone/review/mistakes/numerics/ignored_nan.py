"""A loss that is not a number is passed over without a word.

## What it does
Reports, in a training loop, a check for NaN or infinity of which the only consequence is that the batch is
skipped, and a loss that goes through `nan_to_num` before the backward pass.

## Why is this bad?
A NaN has a cause that does not go away: bad samples, an overflow, a learning rate that is too large. Skipped
silently, the model trains on fewer and fewer batches, or on none at all once its parameters are NaN, and
`nan_to_num` makes of it a loss of 0 with gradients that may still be NaN. The run ends as if it were good.

## References
- [detect_anomaly](https://docs.pytorch.org/docs/stable/autograd.html#anomaly-detection)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.training import has, inside, loss_of

CODE = "TS605"
NAME = "ignored-nan"
SEVERITY: Severity = "warning"
MENTIONS = ("nan|inf|finite", "backward")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            loss = nn.functional.mse_loss(model(x), y)
            if torch.isnan(loss):  # TS605
                continue
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    skipped = 0
    for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
        loss = nn.functional.mse_loss(model(x), y)
        if torch.isnan(loss):
            skipped += 1
            if skipped > 10:
                raise RuntimeError("the loss stays NaN")
            continue
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    """,
)

_TESTS = words("isnan isinf isfinite")
_SILENT = words("zero_grad zero_ empty_cache collect update")


def check(file: File) -> Iterator[Finding]:
    """Looks at the checks and replacements in training loops."""
    calls = file.index.calls_by_name
    if not any(name in calls for name in (*_TESTS, "nan_to_num", "nan_to_num_")) or "backward" not in calls:
        return
    done: set[ast.AST] = set()
    for root in events(file):
        for seen in root:
            if seen.event.kind != "backward" or seen.event.frame.file is not file or not seen.loops:
                continue
            if seen.event.node in done:
                continue
            done.add(seen.event.node)
            yield from _replaced(file, seen)
            loop = seen.loops[-1]
            if loop.frame.file is file and has(inside(loop, root), "step") and loop.node not in done:
                done.add(loop.node)
                yield from _skipped(file, loop)


def _skipped(file: File, loop: Loop) -> Iterator[Finding]:
    """Checks of the loop itself that only go on with the next batch."""
    for node in ast.walk(loop.node):
        if not isinstance(node, ast.If) or file.index.scope_of(node) is not loop.frame.scope:
            continue
        name = _asked(loop.frame, node.test)
        if name is None or node.orelse or not _only_goes_on(node.body):
            continue
        yield file.finding(
            CODE,
            NAME,
            SEVERITY,
            node,
            f"a batch of which `{name}` is not a number is skipped, and nobody learns of it",
            why="the cause stays, and in the end no batch may be left that trains",
            fix=Fix("Count what is skipped, say so, and stop when it does not end."),
        )


def _asked(frame: Frame, test: ast.expr) -> str | None:
    """What is asked whether it is NaN or infinite, when that is all that is asked."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        names = [_asked(frame, part) for part in test.values]
        return names[0] if all(names) else None
    turned = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    node = test.operand if isinstance(test, ast.UnaryOp) and turned else test
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in ("any", "all", "item", "sum"):
            break
        of_torch = frame.name(node.func) in ("torch.any", "torch.all", "torch.sum")
        node = node.args[0] if of_torch and node.args else node.func.value
    if not isinstance(node, ast.Call):
        return None
    called = frame.name(node.func) or ""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    name = called.rsplit(".", 1)[-1] if called.startswith(("torch.", "math.", "numpy.")) else method
    if name not in _TESTS or (name == "isfinite") != turned:
        return None
    asked = node.args[0] if node.args else node.func.value if isinstance(node.func, ast.Attribute) else None
    return ast.unparse(asked) if asked is not None and "loss" in ast.unparse(asked).lower() else None


def _only_goes_on(body: list[ast.stmt]) -> bool:
    """Whether a body does no more than clear up and go on with the next batch."""
    if not isinstance(body[-1], ast.Continue):
        return False
    for statement in body[:-1]:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(statement, ast.Delete | ast.Pass):
            continue
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return False
        if call.func.attr not in _SILENT:
            return False
    return True


def _replaced(file: File, seen: Seen) -> Iterator[Finding]:
    """A loss that goes through `nan_to_num` on the way to its backward pass."""
    loss, frame = loss_of(seen), seen.event.frame
    candidates: list[ast.AST] = [loss] if loss is not None else []
    if isinstance(loss, ast.Name):
        candidates += [b.value for b in reaching(frame, loss) if b.value is not None and b.kind == "assign"]
    for node in candidates:
        if not isinstance(node, ast.Call) or file.index.scope_of(node) is not frame.scope:
            continue
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if frame.name(node.func) == "torch.nan_to_num" or method in ("nan_to_num", "nan_to_num_"):
            name = ast.unparse(loss) if isinstance(loss, ast.Name) else "the loss"
            yield file.finding(
                CODE,
                NAME,
                SEVERITY,
                node,
                f"`nan_to_num` hides that `{name}` is not a number, and training goes on",
                why="the cause stays, and gradients through it may be NaN all the same",
                fix=Fix("Stop when the loss is not finite, and look for the cause."),
                related=(file.related(seen.event.node, "training goes back from it here"),),
            )
