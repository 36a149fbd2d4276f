"""Picture transforms stand in an order that scales twice, or normalises before scaling.

## What it does
Reads the list that is given to `Compose` and reports `Normalize` or `RandomErasing` before the `ToTensor`
that makes the tensor, a second `ToTensor`, a division by 255 after `ToTensor` has divided, and a `Normalize`
whose means are those of 0 to 255 after it.

## Why is this bad?
`ToTensor` turns a picture of 0 to 255 into a tensor of 0 to 1. What needs a tensor fails on a picture; what
is scaled twice is nearly black, and what is normalised with the statistics of another scale is nearly
constant: the model learns slowly, or nothing.

## References
- [Transforming images](https://docs.pytorch.org/vision/stable/transforms.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import reaching

CODE = "TS415"
NAME = "transform-order"
SEVERITY: Severity = "error"
MENTIONS = ("Compose",)

BAD = (
    Example(
        """
        from torchvision import transforms

        transform = transforms.Compose([
            transforms.Resize(32),
            transforms.Normalize((0.5,), (0.5,)),  # TS415
            transforms.ToTensor(),
        ])
        """
    ),
    Example(
        """
        from torchvision import transforms

        transform = transforms.Compose([
            transforms.ToTensor(),
            transforms.Lambda(lambda image: image / 255),  # TS415
        ])
        """
    ),
)
GOOD = (
    """
    from torchvision import transforms

    transform = transforms.Compose([
        transforms.Resize(32),
        transforms.ToTensor(),
        transforms.Normalize((0.5,), (0.5,)),
    ])
    """,
)

_PICTURES = words(
    "Resize CenterCrop RandomCrop RandomResizedCrop RandomHorizontalFlip RandomVerticalFlip RandomRotation "
    "ColorJitter Grayscale RandomGrayscale Pad RandomAffine RandomPerspective GaussianBlur Scale "
    "RandomSizedCrop RandomApply FiveCrop TenCrop"
)
"""Transforms that leave the scale and the kind (picture or tensor) as they are."""
_SCALING = words("ToTensor ConvertImageDtype")
_NEED_TENSOR = words("Normalize RandomErasing")


def check(file: File) -> Iterator[Finding]:
    """Looks at each `Compose`."""
    for call in file.index.calls_by_name.get("Compose", ()):
        frame = file.frame_of(call)
        name = frame.name(call.func) or ""
        if not name.startswith("torchvision.transforms.") or ".v2." in name or not call.args:
            continue  # v2 takes tensors in ToTensor
        steps = _steps(frame, call.args[0])
        if steps is not None:
            yield from _problems(file, frame, steps)


def _steps(frame: Frame, node: ast.expr) -> list[ast.expr] | None:
    """The transforms of a list, also behind a name that nothing is added to."""
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path or not bindings[0].value:
            return None
        added = ("append", "insert", "extend", "remove", "pop", "reverse")
        calls = [call for each in added for call in frame.file.index.calls_by_name.get(each, ())]
        if any(isinstance(c.func, ast.Attribute) and ast.unparse(c.func.value) == node.id for c in calls):
            return None
        node = bindings[0].value
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    return None if any(isinstance(each, ast.Starred) for each in node.elts) else node.elts


def _problems(file: File, frame: Frame, steps: list[ast.expr]) -> Iterator[Finding]:
    names = [_name(frame, step) for step in steps]
    scaled: ast.expr | None = None  # the ToTensor whose result is still of 0 to 1
    early: ast.expr | None = None  # a transform that needs a tensor, before any
    for position, (step, name) in enumerate(zip(steps, names, strict=True)):
        known = name in _PICTURES or name in _SCALING or name in _NEED_TENSOR
        if name == "ToTensor":
            if early is not None:
                yield _before(file, early, step)
                return
            if scaled is not None:
                yield _twice(file, step, scaled, "ToTensor", "the second one fails on a tensor")
                return
            scaled = step
        elif name in _NEED_TENSOR and scaled is None:
            if early is None and all(each in _PICTURES for each in names[:position]):
                early = step
        elif scaled is not None and _divides(step):
            yield _twice(file, step, scaled, "this", "pictures of 0 to 1 end between 0 and 0.004")
            return
        elif name == "Normalize" and scaled is not None and _means_of_bytes(step):
            yield _bytes(file, step, scaled)
            return
        if not known or name == "Normalize":
            scaled = None


def _name(frame: Frame, step: ast.expr) -> str:
    """The last part of the name of a torchvision transform that is made here."""
    if not isinstance(step, ast.Call):
        return ""
    name = frame.name(step.func) or ""
    return name.rsplit(".", 1)[-1] if name.startswith("torchvision.transforms.") else ""


def _divides(step: ast.expr) -> bool:
    """Whether a step is a function that divides what it is given by 255, and does nothing else."""
    while isinstance(step, ast.Call) and len(step.args) == 1:
        step = step.args[0]
    if not isinstance(step, ast.Lambda) or len(step.args.args) != 1:
        return False
    body, name = step.body, step.args.args[0].arg
    if isinstance(body, ast.BinOp) and isinstance(body.op, ast.Div):
        left, right = body.left, body.right
    elif isinstance(body, ast.Call) and isinstance(body.func, ast.Attribute) and body.func.attr == "div":
        left, right = body.func.value, body.args[0] if body.args else body
    else:
        return False
    by = isinstance(right, ast.Constant) and right.value in (255, 256)
    return by and isinstance(left, ast.Name) and left.id == name


def _means_of_bytes(step: ast.expr) -> bool:
    """Whether all means of a Normalize are written down and far above 1."""
    if not isinstance(step, ast.Call):
        return False
    given = [*step.args[:1], *(k.value for k in step.keywords if k.arg == "mean")]
    if not given or not isinstance(given[0], ast.List | ast.Tuple) or not given[0].elts:
        return False
    values = [each.value if isinstance(each, ast.Constant) else None for each in given[0].elts]
    return all(isinstance(value, int | float) and 20 < value < 256 for value in values)


def _before(file: File, early: ast.expr, tensor: ast.expr) -> Finding:
    told = ast.unparse(early.func) if isinstance(early, ast.Call) else ast.unparse(early)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        early,
        f"`{told}` comes before `{ast.unparse(tensor)}`, which makes the tensor that it needs",
        why="on a picture it fails, and on a tensor the later ToTensor does",
        fix=Fix(f"Move it behind `{ast.unparse(tensor)}`."),
        related=(file.related(tensor, "the tensor is made here"),),
    )


def _twice(file: File, step: ast.expr, scaled: ast.expr, what: str, why: str) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        step,
        f"`{ast.unparse(scaled)}` has scaled the picture to 0 to 1 already, {what} does it again",
        why=why,
        fix=Fix("Remove one of the two."),
        related=(file.related(scaled, "scaled here"),),
    )


def _bytes(file: File, step: ast.expr, scaled: ast.expr) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        step,
        f"the means of `Normalize` are those of 0 to 255, but `{ast.unparse(scaled)}` has scaled to 0 to 1",
        why="every pixel ends near the same value",
        fix=Fix("Divide means and standard deviations by 255."),
        related=(file.related(scaled, "scaled to 0 to 1 here"),),
    )
