"""Values are divided by a standard deviation that is 0, or is not defined.

## What it does
Reports `(x - x.mean(0)) / x.std(0)` on data sets with columns that are known to be constant (the digits of
scikit-learn and MNIST), the standard deviation of a dimension of size one, and returns or rewards
divided by their bare standard deviation.

## Why is this bad?
A constant column becomes 0 / 0, which is NaN, and one NaN in the inputs makes all parameters NaN. In PyTorch
the standard deviation of one value is NaN itself. Rewards are all equal in episodes that go badly, and an
episode may have one step.

## References
- [torch.std](https://docs.pytorch.org/docs/stable/generated/torch.std.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.arrays import array_of
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import Origin, origins, resolved

CODE = "TS604"
NAME = "zero-deviation"
SEVERITY: Severity = "warning"
MENTIONS = ("std",)

BAD = (
    Example(
        """
        import torch
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        x = torch.tensor(x, dtype=torch.float32)
        x = (x - x.mean(0)) / x.std(0)  # TS604
        """,
        fixed="""
        import torch
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        x = torch.tensor(x, dtype=torch.float32)
        x = (x - x.mean(0)) / (x.std(0) + 1e-8)
        """,
    ),
    Example(
        """
        import torch

        rewards = torch.tensor([0.0, 0.0, 0.0])
        rewards = (rewards - rewards.mean()) / rewards.std()  # TS604
        """,
        fixed="""
        import torch

        rewards = torch.tensor([0.0, 0.0, 0.0])
        rewards = (rewards - rewards.mean()) / (rewards.std() + 1e-8)
        """,
    ),
)
GOOD = (
    """
    import torch
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32)
    x = (x - x.mean(0)) / (x.std(0) + 1e-8)
    """,
)

_CONSTANT_COLUMNS = {
    "sklearn.datasets.load_digits": "the digits",
    "torchvision.datasets.MNIST": "MNIST",
    "torchvision.datasets.mnist.MNIST": "MNIST",
}
_REWARDS = re.compile(r"(?:^|_)(?:returns?|rewards?|discounted)(?:_|$)", re.IGNORECASE)
_KEEP_COLUMNS = words(
    "load_digits MNIST ToTensor train_test_split astype float double to cuda cpu tensor as_tensor from_numpy "
    "FloatTensor array asarray numpy reshape view len div copy clone"
)
_IN_PLACE = ("clamp_", "add_", "clip", "masked_fill_", "nan_to_num_")


def check(file: File) -> Iterator[Finding]:
    """Looks at each division by a standard deviation."""
    if "std" not in file.index.calls_by_name:
        return
    for node in file.index.nodes[ast.BinOp]:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
            continue
        frame = file.frame_of(node)
        right = _meant(frame, node.right)
        divisor = _deviation(right) if right is not None else None
        if right is None or divisor is None or not _is_centred(frame, node.left):
            continue
        reason = _reason(right.frame, *divisor)
        if reason is not None:
            yield _finding(file, node, *reason)


def _meant(frame: Frame, node: ast.expr) -> Origin | None:
    """What a name was assigned; None when parts of it are set by hand."""
    if isinstance(node, ast.Name) and _is_mended(frame, node):
        return None
    here = Origin(frame, node)
    return resolved(here) if isinstance(node, ast.Name | ast.Attribute) else here


def _deviation(here: Origin) -> tuple[ast.Call, ast.expr, ast.expr | None] | None:
    """The call of `std` that a divisor is, what it is taken of, and its dimension."""
    frame, node = here.frame, here.node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "std":
        return None
    named = frame.name(node.func)
    if named is not None and named not in ("torch.std", "numpy.std"):
        return None
    given = node.args if named is None else node.args[1:]
    if named is not None and not node.args:
        return None
    axes = [k.value for k in node.keywords if k.arg in ("dim", "axis")]
    axis = axes[0] if axes else given[0] if given else None
    return node, node.args[0] if named is not None else node.func.value, axis


def _is_mended(frame: Frame, name: ast.Name) -> bool:
    """Whether parts of a deviation are set by hand, as in `std[std == 0] = 1`."""
    index = frame.file.index
    nodes: list[ast.AST] = [call.func for each in _IN_PLACE for call in index.calls_by_name.get(each, ())]
    nodes += [n for n in index.nodes[ast.Subscript] if isinstance(getattr(n, "ctx", None), ast.Store)]
    bases = [node.value for node in nodes if isinstance(node, ast.Subscript | ast.Attribute)]
    return any(
        isinstance(base, ast.Name) and base.id == name.id and index.scope_of(base) is frame.scope
        for base in bases
    )


def _is_centred(frame: Frame, node: ast.expr) -> bool:
    """Whether a mean is subtracted."""
    node = resolved(Origin(frame, node)).node
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
        return False
    right = resolved(Origin(frame, node.right)).node if isinstance(node.right, ast.Name) else node.right
    return isinstance(right, ast.Call) and ast.unparse(right.func).rsplit(".", 1)[-1] == "mean"


def _reason(frame: Frame, call: ast.Call, values: ast.expr, axis: ast.expr | None) -> tuple[str, str] | None:
    """What makes the deviation 0 or undefined, and why that is sure."""
    number, text = axis.value if isinstance(axis, ast.Constant) else None, ast.unparse(call)
    if number == 0 and not isinstance(number, bool):
        source = _constant_columns(frame, values)
        if source is not None:
            return f"`{text}` is 0 for pixels that are always black", f"{source} have such"
    name = frame.name(call.func)
    unbiased = name != "numpy.std" and not any(
        k.arg in ("unbiased", "correction", "ddof") for k in call.keywords
    )
    if unbiased and isinstance(number, int):
        shape = array_of(frame, values).shape
        if shape is not None and -len(shape) <= number < len(shape) and shape[number] == 1:
            return f"`{text}` is taken of one value", "torch divides by one less"
    last = ast.unparse(values).rsplit(".", 1)[-1]
    if axis is None and _REWARDS.search(last):
        return (
            f"`{ast.unparse(call)}` may be 0, or NaN for one value",
            f"all `{last}` of an episode may be equal",
        )
    return None


def _constant_columns(frame: Frame, values: ast.expr) -> str | None:
    """The data set with constant columns that values are of, when nothing on the way changes the columns."""
    source = None
    for origin in origins(frame, values):
        node = origin.node
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            return None  # columns may be chosen
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rsplit(".", 1)[-1]
        source = _CONSTANT_COLUMNS.get(origin.frame.name(node.func) or "", source)
        shape = [ast.unparse(argument) for argument in node.args]
        if origin.frame.callee(node) is None and name not in _KEEP_COLUMNS:
            return None
        if name in ("reshape", "view") and (not shape or shape[-1] == "1"):
            return None
    return source


def _finding(file: File, node: ast.BinOp, what: str, why: str) -> Finding:
    text = ast.get_source_segment(file.source.text, node.right)
    edits = (file.replace(node.right, f"({text} + 1e-8)"),) if text and "taken of one" not in what else ()
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"{what}, and dividing by it gives NaN",
        why=f"{why}, and one NaN makes all parameters NaN",
        fix=Fix("Add a small number, or leave constant columns as they are.", edits=edits),
    )
