"""The result of a function of torch, or of a layer, is thrown away.

## What it does
Reports a statement that only calls a function such as `torch.relu(x)`, `F.normalize(x)` or
`x.masked_fill(...)`, or a layer such as `self.relu(x)` made without `inplace=True`, when `x` is used
afterwards as if it had been changed.

## Why is this bad?
These functions leave their argument as it is and give a new tensor. Without an assignment the line does
nothing: the activation, the mask or the scaling is missing, and nothing fails.

## References
- [In-place operations](https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.knowledge import words

CODE = "TS809"
NAME = "lost-return"
SEVERITY: Severity = "warning"

BAD = (
    Example(
        """
        import torch
        from torch import nn


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(4, 8)
                self.second = nn.Linear(8, 1)

            def forward(self, x):
                x = self.first(x)
                torch.relu(x)  # TS809
                return self.second(x)
        """,
        fixed="""
        import torch
        from torch import nn


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(4, 8)
                self.second = nn.Linear(8, 1)

            def forward(self, x):
                x = self.first(x)
                x = torch.relu(x)
                return self.second(x)
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 8)
            self.activation = nn.ReLU(inplace=True)
            self.second = nn.Linear(8, 1)

        def forward(self, x):
            x = self.first(x)
            self.activation(x)
            torch.relu_(x)
            return self.second(x)


    print(Net()(torch.randn(2, 4)).shape)
    """,
)

_FUNCTIONS = words(
    "relu sigmoid tanh softmax log_softmax clamp clip abs exp log sqrt square sign round squeeze unsqueeze "
    "flatten reshape transpose permute masked_fill normalize dropout gelu silu elu leaky_relu selu softplus "
    "pad flip roll add sub mul div neg where log1p nan_to_num"
)
_METHODS = words(
    "masked_fill masked_scatter index_fill index_add index_copy scatter scatter_add add sub mul div neg sqrt "
    "square exp log log1p round sign clip t expand repeat type nan_to_num flip roll swapaxes movedim renorm"
)
"""Methods besides those that TS707 looks for."""
_LAYERS = words(
    "ReLU LeakyReLU ELU GELU SiLU Sigmoid Tanh Softmax LogSoftmax Softplus Hardtanh Dropout Dropout2d "
    "Flatten Linear Conv1d Conv2d Conv3d MaxPool1d MaxPool2d AvgPool2d AdaptiveAvgPool2d LayerNorm GroupNorm"
)
_CHANGES = words("inplace out")


def check(file: File) -> Iterator[Finding]:
    """Looks at each statement that is only a call."""
    for node in file.index.nodes[ast.Expr]:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name | ast.Attribute):
            continue
        last = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
        # What is called on a name alone may be a layer; all else is told by its own name first.
        if last not in _FUNCTIONS | _METHODS and not (
            len(call.args) == 1 and isinstance(call.args[0], ast.Name)
        ):
            continue
        target = _unchanged(file, call)
        if target is not None and _used_after(file, target, node) and not _for_itself(file, node):
            yield _finding(file, call, target)


def _unchanged(file: File, call: ast.Call) -> ast.Name | None:
    """The tensor that a call computes from and surely leaves as it is."""
    if any(keyword.arg in _CHANGES or keyword.arg is None for keyword in call.keywords):
        return None
    first = call.args[0] if call.args and isinstance(call.args[0], ast.Name) else None
    name = file.name(call.func)
    if name is not None:
        home, _, last = name.rpartition(".")
        pure = last in _FUNCTIONS and home in ("torch", "torch.nn.functional", "torch.special")
        return first if pure and len(call.args) < 4 else None
    if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        target = call.func.value
        value = file.value(target)
        sure = value is not None and value.kind == "tensor" and value.sure
        return target if sure and isinstance(target, ast.Name) else None
    return first if first is not None and len(call.args) == 1 and _is_pure_layer(file, call.func) else None


def _is_pure_layer(file: File, function: ast.expr) -> bool:
    """Whether a layer of torch is called that was made without `inplace`."""
    layer = file.value(function)
    if (
        layer is None
        or layer.kind != "module"
        or layer.call is None
        or not (layer.name or "").startswith("torch.nn.")
    ):
        return False
    if (layer.name or "").rsplit(".", 1)[-1] not in _LAYERS or layer.cls is not None:
        return False
    options = [keyword.arg for keyword in layer.call.keywords]
    flag = any(isinstance(a, ast.Constant) and a.value is True for a in layer.call.args)
    return "inplace" not in options and None not in options and not flag


def _used_after(file: File, target: ast.Name, statement: ast.AST) -> bool:
    """Whether the tensor is read behind the statement before it is bound anew, in the same body."""
    scope = file.index.scope_of(target)
    if not scope.is_function and file.source.kind != "python":
        return False  # a line at the end of a notebook's cell shows its value
    uses = sorted(
        (
            use
            for use in file.index.nodes[ast.Name]
            if isinstance(use, ast.Name)
            and use.id == target.id
            and use.lineno > (getattr(statement, "end_lineno", 0) or 0)
            and file.index.scope_of(use) is scope
        ),
        key=lambda use: (use.lineno, isinstance(use.ctx, ast.Store)),
    )
    return bool(uses) and isinstance(uses[0].ctx, ast.Load)


def _for_itself(file: File, node: ast.AST) -> bool:
    """Whether the call is there for itself: a test, a benchmark, or to see whether it works."""
    scope = file.index.scope_of(node)
    here = (scope.name, file.source.path.replace("\\\\", "/").rsplit("/", 1)[-1])
    if any(word in text.lower() for text in here for word in ("test", "bench", "warm", "profile")):
        return True
    if _is_one_of_several(file, node):
        return True
    for above in file.index.ancestors(node):
        if isinstance(above, ast.Try):
            return True
        if isinstance(above, ast.With | ast.AsyncWith):
            text = " ".join(ast.unparse(item.context_expr) for item in above.items).lower()
            if any(
                word in text for word in ("raises", "profil", "time", "assert", "warns", "mode", "counter")
            ):
                return True
    return False


def _is_one_of_several(file: File, node: ast.AST) -> bool:
    """Whether other lines of a script are expressions, too: cells that showed values."""
    if file.index.parents.get(node) is not file.source.tree:
        return False
    shown = [
        each
        for each in file.source.tree.body
        if isinstance(each, ast.Expr)
        and each is not node
        and not isinstance(each.value, ast.Constant)
        and (not isinstance(each.value, ast.Call) or _has_pure_name(each.value))
    ]
    return bool(shown)


def _has_pure_name(call: ast.Call) -> bool:
    last = ast.unparse(call.func).rsplit(".", 1)[-1]
    return last in _FUNCTIONS | _METHODS


def _finding(file: File, call: ast.Call, target: ast.Name) -> Finding:
    text = ast.get_source_segment(file.source.text, call) or ast.unparse(call)
    called = ast.unparse(call.func)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{called}(...)` gives a new tensor, which is thrown away: `{target.id}` stays as it is",
        why="only functions whose name ends in `_`, and layers with `inplace=True`, change their argument",
        fix=Fix(
            "Assign the result.",
            safe=False,
            edits=(file.replace(call, f"{target.id} = {text}"),),
        ),
    )
