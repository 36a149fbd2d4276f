"""A softmax, log-sum-exp or sigmoid written by hand overflows.

## What it does
Reports `exp(x) / exp(x).sum()`, `log(exp(x).sum())`, `log(1 + exp(x))` and `1 / (1 + exp(-x))` on tensors,
when nothing bounds `x`, such as subtracting its maximum; the last one in modules only, as its value is right
and only its gradient is not. It is advice in a function that is called like the library's, in a program that
trains: lessons write it so.

## Why is this bad?
`exp` of more than 88 is infinite in float32 (of more than 11 in float16). Infinity divided by itself is NaN,
in the result or, for the sigmoid, in its gradient, and one NaN makes all parameters NaN. Scores of that size
are usual early in training with a large learning rate, and late in training with a confident model.

## References
- [torch.logsumexp](https://docs.pytorch.org/docs/stable/generated/torch.logsumexp.html)
- [torch.softmax](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import SAME_TENSOR_METHODS, words
from torchstone.review.syntax.origins import argument_of, reaching
from torchstone.review.syntax.program import files_of_program, trains
from torchstone.review.syntax.training import is_reference

CODE = "TS603"
NAME = "overflowing-exp"
SEVERITY: Severity = "warning"
MENTIONS = ("exp(",)

BAD = (
    Example(
        """
        import torch

        scores = torch.randn(4, 10) * 100
        probabilities = torch.exp(scores) / torch.exp(scores).sum(dim=1, keepdim=True)  # TS603
        """,
        fixed="""
        import torch

        scores = torch.randn(4, 10) * 100
        probabilities = torch.softmax(scores, dim=1)
        """,
    ),
    Example(
        """
        import torch

        scores = torch.randn(4, 10) * 100
        total = torch.log(torch.exp(scores).sum(dim=1))  # TS603
        """,
        fixed="""
        import torch

        scores = torch.randn(4, 10) * 100
        total = torch.logsumexp(scores, dim=1)
        """,
    ),
    Example(
        """
        import torch
        from torch import nn

        class Gate(nn.Module):
            def forward(self, scores):
                return 1 / (1 + torch.exp(-scores))  # TS603
        """,
        fixed="""
        import torch
        from torch import nn

        class Gate(nn.Module):
            def forward(self, scores):
                return torch.sigmoid(scores)
        """,
    ),
)
GOOD = (
    """
    import torch

    scores = torch.randn(4, 10) * 100
    e = torch.exp(scores - scores.max(dim=1, keepdim=True).values)
    probabilities = e / e.sum(dim=1, keepdim=True)
    """,
)

_BOUNDED_CALLS = words(
    "max amax maximum minimum min clamp clamp_ clip clamp_max logsumexp log_softmax logsigmoid softmax "
    "sigmoid tanh hardtanh norm normalize cosine_similarity abs neg log cdist log_prob nan_to_num"
)
_BOUNDED_NAMES = re.compile(r"max|log_?p|dist|sim|cos|temp|tau|neg|energy|norm", re.IGNORECASE)
_DEEPEST = 12
_LIBRARIES = re.compile(r"softmax|sigmoid|logsumexp|softplus")
"""What functions of the library are called."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each quotient and logarithm."""
    if "exp" not in file.index.calls_by_name:
        return
    reader = _Reader(file)
    for node in (*file.index.nodes[ast.BinOp], *file.index.calls()):
        found = reader.read(node)
        if found is not None:
            what, exponent, text, doing = found
            frame = file.frame_of(exponent)
            if not _is_bounded(frame, exponent, 0) and not _is_chosen(file, node):
                yield _finding(file, node, what, exponent, text, doing)


def _is_chosen(file: File, node: ast.AST) -> bool:
    """Whether another way is taken for large values, or the code is there to compare others with."""
    for above in file.index.ancestors(node):
        if isinstance(above, ast.Call) and ast.unparse(above.func).rsplit(".", 1)[-1] == "where":
            return True
        if isinstance(above, ast.stmt):
            return _is_chosen_by_name(file, above) or is_reference(file, node)
    return False


def _is_chosen_by_name(file: File, statement: ast.stmt) -> bool:
    """Whether what a statement assigns is one of the ways of a `torch.where` in the same function."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    scope = file.index.scope_of(statement)
    ways = [c.args for c in file.index.calls_by_name.get("where", ()) if file.index.scope_of(c) is scope]
    return any(isinstance(way, ast.Name) and way.id in names for given in ways for way in given)


def _has_gradients(file: File, node: ast.AST) -> bool:
    """Whether what is computed is surely gone back through: it stands in a method of a module."""
    scope = file.index.scope_of(node)
    return scope.method_of is not None and file.class_of(scope.method_of).is_module


_Found = tuple[str, ast.expr, str | None, str]
"""What it computes, what is exponentiated, what to write instead, and what happens."""


class _Reader:
    """Recognises what is computed with `exp`."""

    def __init__(self, file: File) -> None:
        self.file = file

    def read(self, node: ast.AST) -> _Found | None:
        """What a quotient or a logarithm is."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return self._softmax(node) or self._sigmoid(node)
        if isinstance(node, ast.Call):
            inner = self._argument(node, "log")
            if inner is not None:
                return self._log_sum(inner) or self._softplus(inner)
            inner = self._argument(node, "log1p")
            exponent = self._exponent(inner) if inner is not None else None
            if exponent is not None:
                return "softplus", exponent, None, "is infinite"
        return None

    def _argument(self, node: ast.expr, name: str) -> ast.expr | None:
        """The argument of `torch.name(x)` or of `x.name()`."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
            return None
        called = self.file.name(node.func)
        if called == f"torch.{name}":
            return node.args[0] if node.args and not isinstance(node.args[0], ast.Starred) else None
        if called is None and isinstance(node.func, ast.Attribute) and node.func.attr == name:
            base = self.file.value(node.func.value)
            method = base is None or base.kind == "tensor"
            return node.func.value if method and not node.args and not node.keywords else None
        return None

    def _bound(self, node: ast.expr) -> ast.expr:
        """What a name was assigned, when that is one thing."""
        if isinstance(node, ast.Name):
            bindings = reaching(self.file.frame_of(node), node)
            if len(bindings) == 1 and bindings[0].kind == "assign" and not bindings[0].path:
                return bindings[0].value or node
        return node

    def _exponent(self, node: ast.expr) -> ast.expr | None:
        """The `x` of `exp(x)`."""
        return self._argument(self._bound(node), "exp")

    def _summed(self, node: ast.expr) -> tuple[ast.expr, ast.Call] | None:
        """The `e` of `e.sum(...)`, and the sum; shapes and a small number added are looked through."""
        node = self._bound(node)
        while True:
            if isinstance(node, ast.Subscript):
                node = self._bound(node.value)
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                if not isinstance(node.right, ast.Constant):
                    return None
                node = self._bound(node.left)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if self.file.name(node.func) == "torch.sum" and node.args:
                    return node.args[0], node
                if self.file.name(node.func) is not None:
                    return None
                if node.func.attr == "sum":
                    return node.func.value, node
                if node.func.attr not in SAME_TENSOR_METHODS - {"clamp", "clamp_"}:
                    return None
                node = self._bound(node.func.value)
            else:
                return None

    def _is_same(self, first: ast.expr, second: ast.expr) -> bool:
        """Whether two expressions are alike and their names mean the same."""
        pairs = zip(ast.walk(first), ast.walk(second), strict=False)
        names = [(a, b) for a, b in pairs if isinstance(a, ast.Name) and isinstance(b, ast.Name)]
        same = (reaching(self.file.frame_of(a), a) == reaching(self.file.frame_of(b), b) for a, b in names)
        return ast.unparse(first) == ast.unparse(second) and all(same)

    def _softmax(self, node: ast.BinOp) -> _Found | None:
        exponent = self._exponent(node.left)
        summed = self._summed(node.right) if exponent is not None else None
        other = self._exponent(summed[0]) if summed is not None else None
        if exponent is None or summed is None or other is None:
            return None
        if not self._is_same(exponent, other):
            return None
        text = None
        if isinstance(node.left, ast.Call):
            text = self._instead("softmax", exponent, summed[1])
        return "softmax", exponent, text, "is NaN"

    def _log_sum(self, node: ast.expr) -> _Found | None:
        summed = self._summed(node)
        exponent = self._exponent(summed[0]) if summed is not None else None
        if exponent is None or summed is None:
            return None
        inline = summed[1] is node and isinstance(summed[0], ast.Call)
        text = self._instead("logsumexp", exponent, summed[1]) if inline else None
        return "log-sum-exp", exponent, text, "is infinite"

    def _one_plus(self, node: ast.expr) -> ast.expr | None:
        """The `x` of `1 + exp(x)`."""
        node = self._bound(node)
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
            return None
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(one, ast.Constant) and one.value == 1:
                return self._exponent(other)
        return None

    def _softplus(self, node: ast.expr) -> _Found | None:
        exponent = self._one_plus(node)
        return ("softplus", exponent, None, "is infinite") if exponent is not None else None

    def _sigmoid(self, node: ast.BinOp) -> _Found | None:
        exponent = self._one_plus(node.right)
        if exponent is None:
            return None
        if isinstance(node.left, ast.Constant) and node.left.value == 1:
            if not isinstance(exponent, ast.UnaryOp) or not isinstance(exponent.op, ast.USub):
                return None
            if not _has_gradients(self.file, node):
                return None
            inner = ast.unparse(exponent.operand)
            text = f"torch.sigmoid({inner})" if self._has_torch(node) else None
            return "sigmoid", exponent.operand, text, "has a gradient of NaN"
        other = self._exponent(node.left)
        same = other is not None and self._is_same(exponent, other)
        text = f"torch.sigmoid({ast.unparse(exponent)})" if self._has_torch(node) else None
        return ("sigmoid", exponent, text, "is NaN") if same else None

    def _instead(self, function: str, exponent: ast.expr, summed: ast.Call) -> str | None:
        """The call of torch that computes the same."""
        position = 1 if self.file.name(summed.func) == "torch.sum" else 0
        words_given = {keyword.arg: keyword.value for keyword in summed.keywords}
        axis = words_given.get("dim") or words_given.get("axis")
        if axis is None and len(summed.args) > position:
            axis = summed.args[position]
        number = axis.operand if isinstance(axis, ast.UnaryOp) else axis
        if axis is None or not isinstance(number, ast.Constant) or not self._has_torch(summed):
            return None
        keep = words_given.get("keepdim") if function == "logsumexp" else None
        kept = f", keepdim={ast.unparse(keep)}" if keep is not None else ""
        return f"torch.{function}({ast.unparse(exponent)}, dim={ast.unparse(axis)}{kept})"

    def _has_torch(self, node: ast.AST) -> bool:
        """Whether `torch` is a name there."""
        bindings = self.file.index.module.bindings.get("torch", ())
        return any(binding.kind == "import" for binding in bindings)


def _is_bounded(frame: Frame, node: ast.expr, depth: int) -> bool:
    """Whether something keeps a value from being large, or it is not clear that it may be."""
    if depth > _DEEPEST or isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name | ast.Attribute):
        if _BOUNDED_NAMES.search(ast.unparse(node)):
            return True
        return isinstance(node, ast.Name) and _is_bounded_name(frame, node, depth)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub)
    if isinstance(node, ast.Subscript):
        return _is_bounded(frame, node.value, depth + 1)
    if isinstance(node, ast.BinOp):
        sides = [_is_bounded(frame, side, depth + 1) for side in (node.left, node.right)]
        return all(sides) or (any(sides) and not isinstance(node.op, ast.Add | ast.Mult | ast.Div))
    if isinstance(node, ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
        if name in _BOUNDED_CALLS or _BOUNDED_NAMES.search(ast.unparse(function)):
            return True
        value = frame.value(function)
        if value is not None and value.kind in ("module", "library"):
            return False
        if isinstance(function, ast.Attribute) and name in SAME_TENSOR_METHODS:
            return _is_bounded(frame, function.value, depth + 1)
        return name not in ("mm", "matmul", "bmm", "sum", "mean")
    return True


def _is_bounded_name(frame: Frame, node: ast.Name, depth: int) -> bool:
    for binding in reaching(frame, node):
        home = frame if binding.scope is frame.scope else frame.file.root(binding.scope)
        if binding.kind == "parameter":
            for caller, call, _ in frame.file.callers(binding.scope):
                given = argument_of(home, call, binding.name)
                if given is not None and _is_bounded(caller, given, depth + 1):
                    return True
        elif binding.kind == "augment" and isinstance(binding.node, ast.AugAssign):
            if isinstance(binding.node.op, ast.Sub):
                return True
        elif binding.kind == "assign" and binding.value is not None and not binding.path:
            if _is_bounded(home, binding.value, depth + 1):
                return True
        else:
            return True
    return False


def _is_lesson(file: File, node: ast.AST) -> bool:
    """Whether a training program writes a function of the library by hand under its name, to show it."""
    scope = file.index.scope_of(node)
    named = scope.is_function and _LIBRARIES.search(scope.name.lower().replace("_", "")) is not None
    return named and not _has_gradients(file, node) and trains(files_of_program(file))


def _finding(
    file: File, node: ast.AST, what: str, exponent: ast.expr, text: str | None, doing: str
) -> Finding:
    edits = (file.replace(node, text),) if text is not None else ()
    function = {"softplus": "torch.nn.functional.softplus", "log-sum-exp": "torch.logsumexp"}
    shown = ast.unparse(exponent)
    return file.finding(
        CODE,
        NAME,
        "advice" if _is_lesson(file, node) else SEVERITY,
        node,
        f"this {what} written by hand {doing} once `{shown}` is large: `exp` overflows at 88 in float32",
        why="one NaN makes all parameters NaN",
        evidence={"function": what},
        fix=Fix(f"Use `{function.get(what, 'torch.' + what)}`.", safe=True, edits=edits),
    )
