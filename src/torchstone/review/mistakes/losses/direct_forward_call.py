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
    r"hook|weight_norm|spectral_norm|prun|feature_extract|captum|cam\b|opacus|peft|torchsummary|torchinfo|thop|fvcore",
    re.IGNORECASE,
)
"""What registers hooks on the layers of a model."""

_WRAPPERS = re.compile(
    r"torch\.compile|torch\.jit|dataparallel|data_parallel|fsdp|fully_shard|accelerat|fabric|deepspeed|lightning|"
    r"offload",
    re.IGNORECASE,
)
"""What is done by calling a whole model."""


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
            "advice" if _is_without_hooks(file, node, model) else SEVERITY,
            node.func,
            f"`{text}.forward(...)` skips the hooks of `{text}`",
            why="call the module itself: normalisations, extractors and wrappers are hooks",
            fix=Fix(f"Call `{text}(...)`.", safe=False, edits=(file.replace(node.func, text),)),
        )


def _is_without_hooks(file: File, node: ast.Call, model: ast.expr) -> bool:
    """Whether a whole program, all of it known, has no hooks that could be skipped."""
    files = files_of_program(file)
    if file.index.scope_of(node) is not file.index.module and not runs(files):
        return False
    texts = [each.source.text for each in files]
    whole = not _is_part(file, node, model) and any(_WRAPPERS.search(text) for text in texts)
    return not whole and not any(_HOOKS.search(text) for text in texts)


def _is_part(file: File, node: ast.Call, model: ast.expr) -> bool:
    """Whether a module calls one of its own layers."""
    scope = file.index.scope_of(node)
    own = isinstance(model, ast.Attribute) and isinstance(model.value, ast.Name)
    return own and scope.method_of is not None and file.class_of(scope.method_of).is_module


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
