"""Activation checkpointing that does not say which of its two forms it uses.

## What it does
Reports `torch.utils.checkpoint.checkpoint` and `checkpoint_sequential` without `use_reentrant`.

## Why is this bad?
The reentrant form gives no gradients when no input asks for them, and does not work with
`torch.autograd.grad`; which form is the default depends on the release, so that an upgrade changes or stops
the program.

## References
- [torch.utils.checkpoint](https://docs.pytorch.org/docs/stable/checkpoint.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Edit, Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File

CODE = "TS808"
NAME = "reentrant-checkpoint"
SEVERITY: Severity = "warning"
MENTIONS = ("torch.utils", "checkpoint")

BAD = (
    Example(
        """
        import torch
        from torch.utils.checkpoint import checkpoint

        layer = torch.nn.Linear(4, 4)
        y = checkpoint(layer, torch.randn(2, 4))  # TS808
        """,
        fixed="""
        import torch
        from torch.utils.checkpoint import checkpoint

        layer = torch.nn.Linear(4, 4)
        y = checkpoint(layer, torch.randn(2, 4), use_reentrant=False)
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    layer = torch.nn.Linear(4, 4)
    y = checkpoint(layer, torch.randn(2, 4), use_reentrant=False)
    """,
)

_CHECKPOINTS = ("checkpoint", "checkpoint_sequential")


def check(file: File) -> Iterator[Finding]:
    """Looks at each call of torch's two functions, also under another name."""
    if "torch.utils" not in file.source.text or "checkpoint" not in file.source.text:
        return
    for call in file.index.calls():
        if not isinstance(call.func, ast.Name | ast.Attribute):
            continue
        if any(word.arg in (None, "use_reentrant") for word in call.keywords):
            continue
        prefix, _, last = (file.name(call.func) or "").rpartition(".")
        if prefix == "torch.utils.checkpoint" and last in _CHECKPOINTS:
            yield _finding(file, call, last)


def _finding(file: File, call: ast.Call, name: str) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{name}` without `use_reentrant`: which of its two forms runs depends on the release",
        why="the reentrant form silently gives no gradients when no input asks for them",
        fix=Fix("Say `use_reentrant=False`.", safe=False, edits=_edits(file, call)),
    )


def _edits(file: File, call: ast.Call) -> tuple[Edit, ...]:
    """The argument added after the last one, where that one is not in parentheses of its own."""
    given = [*call.args, *(word.value for word in call.keywords)]
    last = max(given, key=lambda a: (a.end_lineno or 0, a.end_col_offset or 0), default=None)
    whole = ast.get_source_segment(file.source.text, call)
    text = ast.get_source_segment(file.source.text, last) if last is not None else None
    if last is None or not whole or not text or not re.search(re.escape(text) + r"\s*,?\s*\)$", whole):
        return ()
    return (file.replace(last, f"{text}, use_reentrant=False"),)
