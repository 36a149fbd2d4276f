"""A run is resumed with its weights only, while its optimizer and schedule start anew.

## What it does
Reports, under a condition such as `if args.resume:`, the loading of a model's weights in a file that trains
with an optimizer that has a state and with a scheduler, and neither saves nor loads the state of either.

## Why is this bad?
The moments of Adam or the momentum of SGD are gone, and the schedule begins again with its warm-up or its
highest learning rate: the loss jumps, and the run is not the one that was interrupted.

## References
- [Saving a general checkpoint](https://docs.pytorch.org/tutorials/recipes/recipes/saving_and_loading_a_general_checkpoint.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.values import Value

CODE = "TS804"
NAME = "incomplete-checkpoint"
SEVERITY: Severity = "warning"
MENTIONS = ("resume", "load_state_dict", "backward")

BAD = (
    Example(
        """
        import os

        import torch
        from torch import nn

        resume = os.path.exists("last.pt")
        model = nn.Linear(4, 1)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
        if resume:
            model.load_state_dict(torch.load("last.pt"))  # TS804
        for epoch in range(10):
            optimizer.zero_grad()
            model(torch.randn(8, 4)).pow(2).mean().backward()
            optimizer.step()
            scheduler.step()
        torch.save(model.state_dict(), "last.pt")
        """
    ),
)
GOOD = (
    """
    import os
    import tempfile

    import torch
    from torch import nn

    path = os.path.join(tempfile.mkdtemp(), "last.pt")
    resume = os.path.exists(path)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    first = 0
    if resume:
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        first = state["epoch"] + 1
    for epoch in range(first, 10):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).pow(2).mean().backward()
        optimizer.step()
        scheduler.step()
        parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
        torch.save({"epoch": epoch, **{name: part.state_dict() for name, part in parts.items()}}, path)
    """,
)

_RESUME = re.compile(r"(^|_)resume(_|d$|$)")
_SIMPLE = words("load_state_dict load to isfile exists join print info format")
_STATEFUL = words("Adam AdamW Adamax NAdam RAdam RMSprop Adagrad Adadelta")


def check(file: File) -> Iterator[Finding]:
    """Looks at what is loaded under each condition that says `resume`."""
    loads = file.index.calls_by_name.get("load_state_dict", [])
    loaded = [_target(file, call) for call in [*loads, *file.index.calls_by_name.get("state_dict", ())]]
    if not loads or any(value is None or value.kind != "module" for value in loaded):
        return
    optimizer, scheduler = _made(file, "optimizer"), _made(file, "scheduler")
    if optimizer is None or scheduler is None or not _has_state(optimizer):
        return
    for call in loads:
        condition = _resume(file, call)
        if condition is not None and file.index.scope_of(call) is file.index.scope_of(optimizer):
            yield _finding(file, call, optimizer, scheduler)


def _target(file: File, call: ast.Call) -> Value | None:
    return file.value(call.func.value) if isinstance(call.func, ast.Attribute) else None


def _made(file: File, kind: str) -> ast.Call | None:
    """The only call of the file that makes an optimizer or a scheduler."""
    found = []
    for call in file.index.calls():
        value = file.value(call)
        if value is not None and value.kind == kind and value.call is call:
            found.append(call)
    return found[0] if len(found) == 1 else None


def _has_state(optimizer: ast.Call) -> bool:
    name = ast.unparse(optimizer.func).rsplit(".", 1)[-1]
    momentum = next((word.value for word in optimizer.keywords if word.arg == "momentum"), None)
    return name in _STATEFUL or (isinstance(momentum, ast.Constant) and bool(momentum.value))


def _resume(file: File, call: ast.Call) -> ast.If | None:
    """The condition on resuming around a call, in whose body everything is plain to see."""
    for above in file.index.ancestors(call):
        if isinstance(above, ast.If) and _says_resume(above.test):
            plain = all(_is_simple(part) for node in above.body for part in ast.walk(node))
            return above if plain and not above.orelse else None
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return None
    return None


def _says_resume(test: ast.expr) -> bool:
    names = [part.id for part in ast.walk(test) if isinstance(part, ast.Name)]
    names += [part.attr for part in ast.walk(test) if isinstance(part, ast.Attribute)]
    return any(_RESUME.search(name.lower()) for name in names)


def _is_simple(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return True
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _SIMPLE


def _finding(file: File, call: ast.Call, optimizer: ast.Call, scheduler: ast.Call) -> Finding:
    model = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else "the model"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"only the weights of `{model}` are resumed: the optimizer and the schedule start anew",
        why="moments are lost and the learning rate begins again: the loss jumps",
        fix=Fix(
            "Save and load the states of the optimizer and the scheduler, and the epoch, with the weights."
        ),
        related=(
            file.related(optimizer, "this optimizer has a state"),
            file.related(scheduler, "this schedule begins again"),
        ),
    )
