"""The logarithm of a softmax or a sigmoid, which underflow to zero.

## What it does
Follows the argument of `torch.log` back through functions and models, and reports it when it surely is the
output of a softmax or a sigmoid, or one minus it, with nothing that keeps it from being 0.

## Why is this bad?
A softmax is exactly 0 where a score is some hundred below the largest, and one minus a sigmoid is exactly 0
from a score of 17 on. The logarithm is then minus infinity and its gradient NaN, which makes all parameters
NaN. Long before, digits are lost. `log_softmax` and `logsigmoid` are exact for all scores.

## References
- [log_softmax](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html)
- [logsigmoid](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.logsigmoid.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Related, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.outputs import Operation, last_operations
from torchstone.review.syntax.scopes import children
from torchstone.review.syntax.training import is_reference, is_shown_once

CODE = "TS602"
NAME = "unsafe-log"
SEVERITY: Severity = "warning"
MENTIONS = ("log",)

BAD = (
    Example(
        """
        import torch

        scores = torch.randn(4, 10) * 100
        loss = -torch.log(torch.softmax(scores, dim=1))[:, 0].mean()  # TS602
        """,
        fixed="""
        import torch

        scores = torch.randn(4, 10) * 100
        loss = -torch.log_softmax(scores, dim=1)[:, 0].mean()
        """,
    ),
    Example(
        """
        import torch
        from torch import nn

        discriminator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
        real, fake = torch.randn(8, 2), torch.randn(8, 2)
        loss = -torch.log(discriminator(real)).mean()  # TS602
        loss -= torch.log(1 - discriminator(fake)).mean()  # TS602
        """
    ),
)
GOOD = (
    """
    import torch
    from torch.nn import functional as F

    scores = torch.randn(4, 10) * 100
    loss = -F.log_softmax(scores, dim=1)[:, 0].mean()
    probabilities = torch.softmax(scores, dim=1)
    entropy = -(probabilities * torch.log(probabilities + 1e-9)).sum(1)
    """,
)

_LOGARITHMS = ("log", "log2", "log10")
_KINDS = {"softmax": "softmax", "sigmoid": "sigmoid"}
_GUARDS = words("clamp clamp_ clamp_min clip clip_ maximum max where nan_to_num nan_to_num_ masked_fill relu")
_SELECTS = words("gather index_select take take_along_dim diagonal diag")
_DEEPEST = 30
_FUNCTIONS = {"softmax": "torch.log_softmax", "sigmoid": "torch.nn.functional.logsigmoid"}


def check(file: File) -> Iterator[Finding]:
    """Looks at each logarithm."""
    for name in _LOGARITHMS:
        for call in file.index.calls_by_name.get(name, ()):
            frame = file.frame_of(call)
            inner = _argument(frame, call, name)
            if inner is None:
                continue
            complement = _of_one_minus(frame, inner)
            operation = _operation(frame, complement or inner)
            if operation is None or is_reference(file, call):
                continue
            if not _is_guarded(frame, inner, operation.node):
                yield _finding(file, call, operation, inner, complement)


def _argument(frame: Frame, call: ast.Call, name: str) -> ast.expr | None:
    """What the logarithm is taken of, when it is one of torch's."""
    if frame.name(call.func) == f"torch.{name}":
        return call.args[0] if call.args and not isinstance(call.args[0], ast.Starred) else None
    if not isinstance(call.func, ast.Attribute) or call.args or call.keywords:
        return None
    value = frame.value(call.func.value)
    return call.func.value if value is None or value.kind == "tensor" else None


def _assigned(frame: Frame, node: ast.expr) -> ast.expr:
    """What a name was assigned, when that is one thing."""
    if isinstance(node, ast.Name):
        bindings = frame.file.reaching(frame.scope).of(node) or ()
        if len(bindings) == 1 and bindings[0].kind == "assign" and not bindings[0].path:
            return bindings[0].value or node
    return node


def _of_one_minus(frame: Frame, node: ast.expr) -> ast.expr | None:
    """The `p` of `1 - p`."""
    node = _assigned(frame, node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        left = node.left
        one = isinstance(left, ast.Constant) and left.value == 1
        return node.right if one else None
    return None


def _operation(frame: Frame, node: ast.expr) -> Operation | None:
    """The softmax or sigmoid that surely gave a value."""
    for _ in range(4):
        node = _assigned(frame, node)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            break
        if node.func.attr not in _SELECTS:
            break
        of_torch = (frame.name(node.func) or "").startswith("torch.")
        if of_torch and not node.args:
            return None
        node = node.args[0] if of_torch else node.func.value
    found = last_operations(frame, node)
    if found is None or any(operation.kind not in _KINDS for operation in found):
        return None
    return found[0]


def _is_guarded(frame: Frame, node: ast.expr, operation: ast.expr, depth: int = 0) -> bool:
    """Whether something between the operation and the logarithm may keep the value from 0."""
    if node is operation or depth > _DEEPEST:
        return False
    inner: list[tuple[Frame, ast.expr]] = []
    if isinstance(node, ast.Name):
        bindings = frame.file.reaching(frame.scope).of(node) or ()
        inner = [(frame, b.value) for b in bindings if b.kind == "assign" and b.value is not None]
    elif isinstance(node, ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
        if name in _GUARDS:
            return True
        callee = frame.callee(node)
        if callee is not None:
            inner = [(callee, each.value) for each in callee.scope.returns if each.value is not None]
        else:
            inner = [(frame, argument) for argument in node.args]
            inner += [(frame, function.value)] if isinstance(function, ast.Attribute) else []
    else:
        inner = [(frame, child) for child in children(node) if isinstance(child, ast.expr)]
    return any(_is_guarded(home, part, operation, depth + 1) for home, part in inner)


def _finding(
    file: File, call: ast.Call, operation: Operation, inner: ast.expr, complement: ast.expr | None
) -> Finding:
    before = "one minus a" if complement is not None else "a"
    function = _FUNCTIONS[operation.kind]
    if complement is None:
        advice = f"Use `{function}` of the scores."
    elif operation.kind == "sigmoid":
        advice = f"Use `{function}` of the scores with their sign turned."
    else:
        advice = "Clamp it away from 0."
    text = _instead(file, inner, operation) if complement is None else None
    edits = (file.replace(call, text),) if text is not None and _is_natural(call) else ()
    related: tuple[Related, ...] = ()
    if operation.node not in set(ast.walk(call)):
        related = (operation.file.related(operation.node, f"the {operation.kind} is here"),)
    return file.finding(
        CODE,
        NAME,
        "advice" if is_shown_once(file, call) else SEVERITY,
        call,
        f"the logarithm of {before} {operation.kind}, which underflows to 0, is minus infinity",
        why="its gradient is NaN, and one NaN makes all parameters NaN",
        evidence={"operation": operation.kind},
        fix=Fix(advice, safe=True, edits=edits),
        related=related,
    )


def _is_natural(call: ast.Call) -> bool:
    return ast.unparse(call.func).rsplit(".", 1)[-1] == "log"


def _instead(file: File, inner: ast.expr, operation: Operation) -> str | None:
    """The exact function of the same scores, where the softmax or sigmoid stands in the logarithm itself."""
    if operation.node is not inner or not isinstance(inner, ast.Call) or inner.keywords[1:]:
        return None
    name = file.name(inner.func) or ""
    scores = inner.args[0] if inner.args else None
    if scores is None or not name.startswith("torch.") or isinstance(scores, ast.Starred):
        return None
    function = ast.unparse(inner.func)
    arguments = ", ".join(
        [*(ast.unparse(a) for a in inner.args), *(f"{k.arg}={ast.unparse(k.value)}" for k in inner.keywords)]
    )
    if operation.kind == "softmax":
        return f"{function.removesuffix('softmax')}log_softmax({arguments})"
    if any(binding.kind == "import" for binding in file.index.module.bindings.get("torch", ())):
        return f"torch.nn.functional.logsigmoid({ast.unparse(scores)})"
    return None
