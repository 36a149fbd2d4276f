"""A learning rate is far outside of what can train a network.

## What it does
Reports Adam and its relatives with a rate of 1 or more, any optimizer of a model's parameters with a rate of
0 or less than 1e-9, where no scheduler and no other line of the file sets the rate.

## Why is this bad?
Adam moves each weight by about the learning rate in each step: with 1.0 the weights are gone after the first
one. A rate of zero changes nothing at all.

## References
- [Adam](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.schedules import given
from torchstone.review.syntax.training import optimized_models

CODE = "TS511"
NAME = "learning-rate-extreme"
SEVERITY: Severity = "warning"
MENTIONS = ("parameters",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=10)  # TS511
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    """,
)

_ADAMS = {"Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop"}
_SETTING = ("param_groups", "chedul", "LambdaLR", "grad_scale", "lr_lambda")


def check(file: File) -> Iterator[Finding]:
    """Looks at each optimizer of a model with a constant rate."""
    if "parameters" not in file.index.calls_by_name or any(w in file.source.text for w in _SETTING):
        return
    for call in file.index.calls_by_name["parameters"]:
        made = file.index.parents.get(call)
        value = file.value(made) if isinstance(made, ast.Call) else None
        if not isinstance(made, ast.Call) or value is None or value.kind != "optimizer":
            continue
        rate = _rate(file, made) if value.call == made and optimized_models(value) else None
        kind = (value.name or "").rsplit(".", 1)[-1]
        if rate is None or not (value.name or "").startswith("torch.optim."):
            continue
        if rate >= 1 and kind in _ADAMS:
            yield _finding(file, made, f"{kind} moves each weight by about {rate:g} in each step", "smaller")
        elif rate < 1e-9:
            yield _finding(file, made, f"a learning rate of {rate:g} changes nothing", "larger")


def _rate(file: File, made: ast.Call) -> float | None:
    node = given(made, 1, "lr")
    value = file.value(node) if node is not None else None
    constant = value.constant if value is not None and value.kind == "constant" else None
    number = isinstance(constant, int | float) and not isinstance(constant, bool)
    return float(constant) if number and isinstance(constant, int | float) else None


def _finding(file: File, made: ast.Call, message: str, direction: str) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        made,
        message,
        why="the weights are far from anything useful at once, or stay as they are",
        fix=Fix(f"Use a {direction} rate, such as 1e-3."),
    )
