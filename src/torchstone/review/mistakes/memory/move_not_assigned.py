"""The result of `x.to(device)` or another method of a tensor is thrown away.

## What it does
Reports a statement that only calls a method which gives a new tensor (`to`, `cuda`, `float`, `clamp`,
...), when what it is called on is surely a tensor that is used afterwards.

## Why is this bad?
Unlike a module, a tensor is not changed by these: the line does nothing. The tensor stays on its device,
of its type, or outside of the range it should be in.

## References
- [Tensor.to](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.knowledge import words

CODE = "TS707"
NAME = "move-not-assigned"
SEVERITY: Severity = "error"

BAD = (
    Example(
        """
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(torch.randn(8, 2), torch.zeros(8)))
        model = torch.nn.Linear(2, 1)
        for x, y in loader:
            x.to("cpu")  # TS707
            print(model(x), y)
        """,
        fixed="""
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(torch.randn(8, 2), torch.zeros(8)))
        model = torch.nn.Linear(2, 1)
        for x, y in loader:
            x = x.to("cpu")
            print(model(x), y)
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(torch.randn(8, 2), torch.zeros(8)))
    model = torch.nn.Linear(2, 1)
    model.to("cpu")
    for x, y in loader:
        x = x.to("cpu")
        x.clamp_(0)
        print(model(x), y)
    """,
)

_NEW_TENSOR = words(
    "to cuda cpu float double half bfloat16 long int bool detach clone contiguous clamp abs view "
    "reshape squeeze unsqueeze permute transpose flatten relu sigmoid tanh softmax log_softmax"
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each statement that is only a call."""
    for node in file.index.nodes[ast.Expr]:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        target = call.func.value
        if call.func.attr not in _NEW_TENSOR or not isinstance(target, ast.Name):
            continue
        value = file.value(target)
        if value is None or value.kind != "tensor" or not value.sure:
            continue
        if _used_after(file, target) and not _tried(file, node):
            yield _finding(file, call, target.id, call.func.attr)


def _used_after(file: File, target: ast.Name) -> bool:
    """Whether the tensor is used later, and never as what only a dict or another holder can be."""
    scope = file.index.scope_of(target)
    later = False
    for use in file.index.nodes[ast.Name]:
        if not isinstance(use, ast.Name) or use.id != target.id or file.index.scope_of(use) is not scope:
            continue
        parent = file.index.parents[use]
        if isinstance(parent, ast.keyword) and parent.arg is None:
            return False
        if isinstance(parent, ast.Subscript) and parent.value is use:
            index = parent.slice
            if isinstance(index, ast.Constant) and isinstance(index.value, str):
                return False
        later = later or (use.lineno > target.lineno and isinstance(use.ctx, ast.Load))
    return later


def _tried(file: File, node: ast.AST) -> bool:
    """Whether the call is there for itself: a test, a benchmark, or to see whether it works."""
    scope = file.index.scope_of(node)
    if any(word in scope.name.lower() for word in ("test", "bench", "warm", "profile")):
        return True
    for above in file.index.ancestors(node):
        if isinstance(above, ast.Try):
            return True
        if isinstance(above, ast.With) and any(
            word in ast.unparse(item.context_expr).lower()
            for item in above.items
            for word in ("raises", "profil", "timer", "assert", "warns")
        ):
            return True
    return False


def _finding(file: File, call: ast.Call, name: str, method: str) -> Finding:
    text = ast.get_source_segment(file.source.text, call) or ast.unparse(call)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{name}.{method}(...)` gives a new tensor, which is thrown away: `{name}` stays as it is",
        why="only modules are changed in place by such methods",
        fix=Fix("Assign the result.", safe=True, edits=(file.replace(call, f"{name} = {text}"),)),
    )
