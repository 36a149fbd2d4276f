"""A model's `forward` is called directly, which skips its hooks.

## What it does
Reports `model.forward(x)` where `model` is a module that is neither the object itself nor its parent class.
It is advice in a training program that has no hooks, nor any of what works by them.

## Why is this bad?
`model(x)` runs the hooks that are registered on a module: weight and spectral normalisation, feature
extractors, profilers and wrappers rely on them. `model.forward(x)` runs none.

## References
- [Module.forward](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.forward)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.program import files_of_program, runs

CODE = "TS315"
NAME = "direct-forward-call"
SEVERITY: Severity = "warning"
MENTIONS = (".forward",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        output = model.forward(torch.randn(2, 4))  # TS315
        """,
        fixed="""
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        output = model(torch.randn(2, 4))
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    output = Doubled(4, 1)(torch.randn(2, 4))
    """,
)

_HOOKS = re.compile(
    r"hook|weight_norm|spectral_norm|prun|torch\.compile|torch\.jit|dataparallel|data_parallel|fsdp|fully_shard|accelerat|fabric|"
    r"deepspeed|lightning|torchsummary|torchinfo|thop|fvcore|feature_extract|captum|cam\b|opacus|peft|offload",
    re.IGNORECASE,
)
"""What registers hooks on modules, or is one."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each call of a `forward`."""
    for node in file.index.calls_by_name.get("forward", ()):
        if not isinstance(node.func, ast.Attribute):
            continue
        model = node.func.value
        value = file.value(model)
        if value is None or value.kind != "module" or not value.sure or _is_self(file, node, model):
            continue
        text = ast.unparse(model)
        yield file.finding(
            CODE,
            NAME,
            "advice" if _is_without_hooks(file, node) else SEVERITY,
            node.func,
            f"`{text}.forward(...)` skips the hooks of `{text}`",
            why="call the module itself: normalisations, extractors and wrappers are hooks",
            fix=Fix(f"Call `{text}(...)`.", safe=False, edits=(file.replace(node.func, text),)),
        )


def _is_without_hooks(file: File, node: ast.AST) -> bool:
    """Whether a whole program, all of it known, has no hooks that could be skipped."""
    files = files_of_program(file)
    is_script = file.index.scope_of(node) is file.index.module
    return (is_script or runs(files)) and not any(_HOOKS.search(each.source.text) for each in files)


def _is_self(file: File, node: ast.Call, model: ast.expr) -> bool:
    """Whether a module calls its own `forward`, perhaps in a function within a method."""
    if not isinstance(model, ast.Name):
        return False
    above = [each for each in file.index.ancestors(node) if isinstance(each, ast.FunctionDef)]
    return any(
        each.args.args and each.args.args[0].arg == model.id for each in above if _is_method(file, each)
    )


def _is_method(file: File, function: ast.FunctionDef) -> bool:
    return isinstance(file.index.parents[function], ast.ClassDef)
