"""A mode is fixed or not set: `training=True` as a constant, or `model.eval` without brackets.

## What it does
Reports a statement `model.eval` or `model.train` that is not called, and a `F.dropout(..., training=True)`
in a module, which no `eval()` can switch off. Modules whose names say that it is meant, such as `MCDropout`
or the `Prenet` of speech synthesis, are left alone.

## Why is this bad?
Without brackets the line does nothing, and the model stays in the mode it was in. Dropout that is always on
makes predictions noisy and worse than the model is.

## References
- [Module.eval](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval)
- [dropout](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.schedules import given

CODE = "TS207"
NAME = "always-training-flag"
SEVERITY: Severity = "warning"
MENTIONS = ("eval|train|dropout",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 2))
        model.eval  # TS207
        print(model.training)
        """,
        fixed="""
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 2))
        model.eval()
        print(model.training)
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 2))
    model.eval()
    print(model.training)
    """,
)

_DROPOUTS = {f"torch.nn.functional.dropout{kind}" for kind in ("", "1d", "2d", "3d")}
_ON_PURPOSE = (
    "mc",
    "monte",
    "bayes",
    "uncertain",
    "stochastic",
    "sample",
    "augment",
    "noise",
    "variational",
    "prenet",
)


def check(file: File) -> Iterator[Finding]:
    """Looks at statements that call nothing, and at dropout with a constant mode."""
    for node in file.index.nodes[ast.Expr]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Attribute):
            yield from _not_called(file, node.value)
    for name in ("dropout", "dropout1d", "dropout2d", "dropout3d"):
        for call in file.index.calls_by_name.get(name, ()):
            yield from _fixed(file, call)


def _not_called(file: File, node: ast.Attribute) -> Iterator[Finding]:
    if node.attr not in ("eval", "train"):
        return
    model = file.value(node.value)
    if model is None or model.kind != "module":
        return
    text = ast.unparse(node)
    yield file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{text}` is not called: the line does nothing",
        why="the model stays in the mode it was in",
        fix=Fix("Add the brackets.", edits=(file.replace(node, f"{text}()"),)),
    )


def _fixed(file: File, call: ast.Call) -> Iterator[Finding]:
    flag = given(call, 2, "training")
    if not isinstance(flag, ast.Constant) or flag.value is not True or file.name(call.func) not in _DROPOUTS:
        return
    scope = file.index.scope_of(call)
    if scope.name != "forward" or scope.method_of is None or not file.class_of(scope.method_of).is_module:
        return
    cls, rate = file.class_of(scope.method_of).name.lower(), given(call, 1, "p")
    if any(word in cls for word in _ON_PURPOSE) or file.index.parents.get(call) is None:
        return
    if rate is not None and any(word in ast.unparse(rate).lower() for word in _ON_PURPOSE):
        return
    yield file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        "this dropout drops in evaluation too: its `training` is always True",
        why="eval() cannot switch it off, so predictions are noisy",
        fix=Fix(
            f"Pass `training={scope.self_name}.training`.",
            edits=(file.replace(flag, f"{scope.self_name}.training"),),
        ),
    )
