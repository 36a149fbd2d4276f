"""`requires_grad` is misspelt, or set on a module instead of its parameters.

## What it does
Reports an assignment to `require_grad` and the like, and `module.requires_grad = False`.

## Why is this bad?
Python makes a new attribute and says nothing: the parameters that should be frozen go on training, or
those that should train do not.

## References
- [Module.requires_grad_](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.requires_grad_)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Edit, Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File

CODE = "TS116"
NAME = "requires-grad-typo"
SEVERITY: Severity = "error"
MENTIONS = ("require|requiers",)

BAD = (
    Example(
        """
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
        for parameter in model[0].parameters():
            parameter.require_grad = False  # TS116
        """,
        fixed="""
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
        for parameter in model[0].parameters():
            parameter.requires_grad = False
        """,
    ),
    Example(
        """
        from torch import nn

        backbone = nn.Linear(4, 8)
        backbone.requires_grad = False  # TS116
        """,
        fixed="""
        from torch import nn

        backbone = nn.Linear(4, 8)
        backbone.requires_grad_(False)
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    for parameter in model[0].parameters():
        parameter.requires_grad = False
    model[1].requires_grad_(False)
    model[1].weight.requires_grad = True
    """,
)

_TYPOS = {
    "require_grad",
    "require_grads",
    "requires_grads",
    "required_grad",
    "requiers_grad",
    "requires_gard",
}


def check(file: File) -> Iterator[Finding]:
    """Looks at each assignment to an attribute of such a name."""
    own = _own_attributes(file)
    for node in file.index.nodes[ast.Assign]:
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        target = node.targets[0]
        if not isinstance(target, ast.Attribute) or target.attr in own:
            continue
        if target.attr in _TYPOS:
            yield _typo(file, target)
        elif target.attr == "requires_grad":
            value = file.value(target.value)
            if value is not None and value.kind == "module" and value.sure:
                yield _on_module(file, node, target)


def _own_attributes(file: File) -> set[str]:
    """Such names that a class of this file defines, or that its code reads."""
    found = set()
    for cls in file.classes:
        found |= set(file.index.stores[cls.scope]) | set(cls.scope.bindings)
    for node in file.index.nodes[ast.Attribute]:
        if isinstance(node, ast.Attribute) and node.attr in _TYPOS and isinstance(node.ctx, ast.Load):
            found.add(node.attr)
    return found


def _typo(file: File, target: ast.Attribute) -> Finding:
    place = file.replace(target, "")
    start = place.end_column - len(target.attr)
    edit = Edit(place.file, place.end_line, start, place.end_line, place.end_column, "requires_grad")
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        target,
        f"`{ast.unparse(target)}` sets a new attribute that torch does not know; it is `requires_grad`",
        why="nothing is frozen or unfrozen",
        fix=Fix("Write `requires_grad`.", safe=True, edits=(edit,)),
    )


def _on_module(file: File, node: ast.Assign, target: ast.Attribute) -> Finding:
    name = ast.unparse(target.value)
    text = f"{name}.requires_grad_({ast.unparse(node.value)})"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{name}` is a module: setting `requires_grad` on it changes none of its parameters",
        why="nothing is frozen or unfrozen",
        fix=Fix("Call `requires_grad_`.", safe=True, edits=(file.replace(node, text),)),
    )
