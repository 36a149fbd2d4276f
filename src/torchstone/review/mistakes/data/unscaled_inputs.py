"""A model is trained on raw numbers of very different or very large scale.

## What it does
Reports, in a program that trains, pictures of 0 to 255 that are turned into floats and never divided
(`ToDtype(torch.float32)` without `scale=True`, `read_image(...).float()`, the `data` of torchvision's MNIST
and the like), and scikit-learn's tables whose columns differ by a factor of a thousand, when nothing in the
file scales or normalises.

A watched run looks at what the first layer of a model in training is given, after all that the program and
the model do to it, when that is a linear or convolutional layer and no normalisation follows.

## Why is this bad?
Initial weights and usual learning rates are made for inputs near 1. With larger ones the first steps are far
too long, units die or saturate, and the largest column drowns the others.

## References
- [ToDtype](https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.v2.ToDtype.html)
- [Importance of feature scaling](https://scikit-learn.org/stable/auto_examples/preprocessing/plot_scaling_importance.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Edit, Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import Origin, resolved

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS407"
NAME = "unscaled-inputs"
SEVERITY: Severity = "warning"

BAD = (
    Example(
        """
        import torch
        from torchvision.transforms import v2

        transform = v2.Compose([
            v2.Resize(64),
            v2.ToImage(),
            v2.ToDtype(torch.float32),  # TS407
        ])
        """,
        fixed="""
        import torch
        from torchvision.transforms import v2

        transform = v2.Compose([
            v2.Resize(64),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
        ])
        """,
    ),
    Example(
        """
        import torch
        from sklearn.datasets import load_wine
        from torch import nn

        wine = load_wine()
        x = torch.tensor(wine.data, dtype=torch.float32)  # TS407
        y = torch.tensor(wine.target)
        model = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(10):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from sklearn.datasets import load_wine
    from sklearn.preprocessing import StandardScaler
    from torch import nn

    wine = load_wine()
    x = torch.tensor(StandardScaler().fit_transform(wine.data), dtype=torch.float32)
    y = torch.tensor(wine.target)
    model = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(10):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    """,
    """
    import torch
    from torchvision.transforms import v2

    transform = v2.Compose([v2.Resize(64), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    """,
)

_SCALES = re.compile(
    r"255|/ ?256|[Ss]cal|[Nn]orm|[Ss]tandard|\bstd|z_?score|log1p|min_?max|whiten|\bToTensor"
)
"""What may scale, anywhere in the file."""
_TABLES = {
    "sklearn.datasets.load_wine": "proline is near 1000 and hue near 1",
    "sklearn.datasets.load_breast_cancer": "areas are near 1000 and smoothness near 0.1",
    "sklearn.datasets.fetch_california_housing": "population is near 1000 and bedrooms near 1",
}
_PICTURES = words("MNIST FashionMNIST KMNIST QMNIST EMNIST CIFAR10 CIFAR100")
_READERS = frozenset({"torchvision.io.read_image", "torchvision.io.decode_image"})
_TENSORS = words("tensor as_tensor from_numpy FloatTensor Tensor")
_BYTES = words("ToImage PILToTensor")
_SAME = words(
    "tensor as_tensor from_numpy array asarray reshape view unsqueeze squeeze flatten to_numpy copy clone "
    "numpy astype contiguous permute"
)


def check(file: File) -> Iterator[Finding]:
    """Looks at transforms, and at what is turned into tensors."""
    text = file.source.text
    if "torchvision" in text and "ToDtype" in text:
        yield from _transforms(file)
    if "backward" not in file.index.calls_by_name or _SCALES.search(text):
        return
    if any(name.rsplit(".", 1)[-1] in text for name in _TABLES):
        yield from _tables(file)
    if "torchvision" in text and ("read_image" in text or "decode_image" in text or ".data" in text):
        yield from _pictures(file)


def _transforms(file: File) -> Iterator[Finding]:
    """`ToDtype(torch.float32)` of a picture of whole numbers."""
    if "255" in file.source.text:
        return
    for compose in file.index.calls_by_name.get("Compose", ()):
        frame = file.frame_of(compose)
        steps = resolved(Origin(frame, compose.args[0])).node if compose.args else None
        if not isinstance(steps, ast.List | ast.Tuple):
            continue
        whole = False
        for number, step in enumerate(steps.elts):
            name = frame.name(step.func) if isinstance(step, ast.Call) else None
            if not isinstance(step, ast.Call) or not (name or "").startswith("torchvision.transforms."):
                break
            last = (name or "").rsplit(".", 1)[-1]
            whole = whole or last in _BYTES
            if last in ("ConvertImageDtype", "ToTensor", "Lambda"):
                break
            if last == "ToDtype":
                rest = steps.elts[number + 1 :]
                if whole and _is_unscaled(frame, step) and not any(_takes_bytes(each) for each in rest):
                    yield _of_transform(file, step)
                break


def _takes_bytes(step: ast.expr) -> bool:
    """Whether a later step may be made for pictures of 0 to 255: one with large means, or with any code."""
    if not isinstance(step, ast.Call) or ast.unparse(step.func).endswith("Lambda"):
        return True
    if not ast.unparse(step.func).endswith("Normalize"):
        return False
    numbers = [node.value for node in ast.walk(step) if isinstance(node, ast.Constant)]
    return not numbers or any(isinstance(number, int | float) and number > 2 for number in numbers)


def _is_unscaled(frame: Frame, step: ast.Call) -> bool:
    """Whether a `ToDtype` is given a float type and nothing about the scale."""
    given = [*step.args, *(keyword.value for keyword in step.keywords)]
    if len(given) != 1 or (step.keywords and step.keywords[0].arg != "dtype"):
        return False
    return frame.name(given[0]) in ("torch.float32", "torch.float", "torch.float16", "torch.bfloat16")


def _tables(file: File) -> Iterator[Finding]:
    """Tables of scikit-learn that are turned into tensors as they are."""
    reported: set[ast.AST] = set()
    for last in _TENSORS:
        for call in file.index.calls_by_name.get(last, ()):
            frame = file.frame_of(call)
            if not call.args or not (frame.name(call.func) or "").startswith("torch."):
                continue
            table = _table(Origin(frame, call.args[0]))
            if table is not None and table.node not in reported and isinstance(table.node, ast.Call):
                reported.add(table.node)
                yield _of_table(file, call, table.frame.name(table.node.func) or "", table)


def _table(here: Origin) -> Origin | None:
    """The table that inputs are the unchanged numbers of."""
    for _ in range(20):
        here = resolved(here)
        node = here.node
        if isinstance(node, ast.Attribute) and node.attr in ("data", "values"):
            here = Origin(here.frame, node.value, here.callers)
            if node.attr == "data":
                bunch = resolved(here)
                called = isinstance(bunch.node, ast.Call) and not bunch.path
                return bunch if called and _is_table(bunch, returns_pair=False) else None
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice | ast.Name):
            here = Origin(here.frame, node.value, here.callers)
        elif isinstance(node, ast.Call):
            last = ast.unparse(node.func).rsplit(".", 1)[-1]
            if last == "train_test_split" and here.path in ((0,), (1,)) and node.args:
                here = Origin(here.frame, node.args[0], here.callers)
            elif here.path == (0,):
                return here if _is_table(here, returns_pair=True) else None
            elif here.path or last not in _SAME:
                return None
            elif here.frame.name(node.func) is None and isinstance(node.func, ast.Attribute):
                here = Origin(here.frame, node.func.value, here.callers)
            elif node.args:
                here = Origin(here.frame, node.args[0], here.callers)
        else:
            return None
    return None


def _is_table(here: Origin, returns_pair: bool) -> bool:
    assert isinstance(here.node, ast.Call)  # noqa: S101 (asked before)
    pair = any(keyword.arg == "return_X_y" for keyword in here.node.keywords)
    return pair == returns_pair and here.frame.name(here.node.func) in _TABLES


def _pictures(file: File) -> Iterator[Finding]:
    """Pictures of whole numbers that are turned into floats as they are."""
    for last in ("float", "to", "type"):
        for call in file.index.calls_by_name.get(last, ()):
            frame = file.frame_of(call)
            if not isinstance(call.func, ast.Attribute) or not _makes_float(frame, call, last):
                continue
            told = _picture(Origin(frame, call.func.value))
            if told is not None:
                yield _finding(
                    file,
                    call,
                    f"`{ast.unparse(call)}` makes floats of 0 to 255 of {told}, and nothing divides them",
                    Fix(f"Write `{ast.unparse(call)} / 255`."),
                )
                return


def _makes_float(frame: Frame, call: ast.Call, last: str) -> bool:
    if last == "float":
        return not call.args
    return any(frame.name(each) in ("torch.float32", "torch.float") for each in call.args)


def _picture(here: Origin) -> str | None:
    """How to tell pictures of 0 to 255, when an expression surely is some."""
    for _ in range(20):
        here = resolved(here)
        node = here.node
        if here.path:
            return None
        if isinstance(node, ast.Subscript):
            here = Origin(here.frame, node.value, here.callers)
        elif isinstance(node, ast.Attribute) and node.attr == "data":
            made = resolved(Origin(here.frame, node.value, here.callers))
            if not isinstance(made.node, ast.Call) or made.path:
                return None
            name = made.frame.name(made.node.func) or ""
            known = name.startswith("torchvision.datasets.") and name.rsplit(".", 1)[-1] in _PICTURES
            return f"`{name.rsplit('.', 1)[-1]}`" if known else None
        elif isinstance(node, ast.Call):
            if here.frame.name(node.func) in _READERS:
                return f"`{ast.unparse(node.func)}`"
            if not isinstance(node.func, ast.Attribute) or node.func.attr not in _SAME:
                return None
            library = here.frame.name(node.func) is not None
            source = node.args[0] if library and node.args else node.func.value
            here = Origin(here.frame, source, here.callers)
        else:
            return None
    return None


def _of_transform(file: File, step: ast.Call) -> Finding:
    last = (*step.args, *(keyword.value for keyword in step.keywords))[-1]
    end = file.replace(last, "")
    edit = Edit(end.file, end.end_line, end.end_column, end.end_line, end.end_column, ", scale=True")
    return _finding(
        file,
        step,
        f"`{ast.unparse(step)}` leaves the pictures at 0 to 255: it scales only with `scale=True`",
        Fix("Give `scale=True`.", edits=(edit,)),
    )


def _of_table(file: File, call: ast.Call, name: str, table: Origin) -> Finding:
    return _finding(
        file,
        call,
        f"the columns of `{name.rsplit('.', 1)[-1]}` go into the model as they are: {_TABLES[name]}",
        Fix("Scale the columns by the mean and standard deviation of the training rows (`StandardScaler`)."),
        table.node if table.frame.file is file and table.node.lineno != call.lineno else None,
    )


def _finding(file: File, node: ast.expr, message: str, fix: Fix, related: ast.expr | None = None) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        message,
        why="initial weights and usual learning rates are made for inputs near 1",
        fix=fix,
        related=(file.related(related, "the numbers come from here"),) if related is not None else (),
    )


_FIRST_LAYERS = re.compile(r"^(?:Lazy)?(?:Linear|Conv[123]d)$")
_NO_CHANGE = re.compile(r"^(?:Flatten|Unflatten|Identity|Dropout\w*)$")
_TIMES = 3
"""So many batches have to be unscaled."""


class Watch(Detector):
    """Looks at what the first layer of a model in training is given."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._looking = False
        self._words: str | None = None
        self._layers = 0
        self._times = 0
        self._place: Place | None = None

    @sampled
    def on_forward_began(self, event: Event) -> None:
        """A model is called in training; a loss may be a module too, and says nothing of the inputs."""
        if next(event.subject.parameters(), None) is None:
            return
        self._looking = event.recording and event.subject.training
        self._words, self._layers = None, 0

    @sampled
    def on_forward(self, event: Event) -> None:
        """The first layer, and whether the second one normalises."""
        if not self._looking or (self._layers >= 2 and not event.root):
            return
        kind = type(event.subject).__name__
        if not event.subject._modules and not _NO_CHANGE.match(kind):
            self._layers += 1
            if self._layers == 1 and _FIRST_LAYERS.match(kind):
                self._words = _unscaled(event.args[0] if event.args else None)
            elif self._layers == 2 and "Norm" in kind:
                self._words = None
        if event.root:
            self._looking = False
            self._place = event.place if self._words else None

    @sampled
    def on_backward_ended(self, event: Event) -> None:
        """Learned from it."""
        words, self._words = self._words, None
        self._times += words is not None
        if words is not None and self._times >= _TIMES:
            self.found(
                f"The model is trained on raw numbers: {words}",
                why="initial weights and usual learning rates are made for inputs near 1",
                place=self._place,
                fix="Scale the inputs: pictures by 1/255, columns by their mean and deviation in training.",
                input=words,
            )


def _unscaled(inputs: Any) -> str | None:
    """What shows that a batch was not scaled; None where nothing does."""
    usual = is_tensor(inputs) and inputs.is_floating_point() and not inputs.requires_grad
    if not usual or inputs.is_meta or inputs.dim() < 2 or len(inputs) < 2:
        return None
    values = inputs.detach().double()
    least, most = float(values.min()), float(values.max())
    if (
        least >= 0
        and 100 < most <= 255
        and float(values.mean()) > 10
        and bool((values == values.round()).all())
    ):
        return f"whole numbers from {least:.4g} to {most:.4g}, as of pictures"
    if values.dim() != 2 or len(values) < 8:
        return None
    deviations = [one for one in values.std(dim=0).tolist() if one > 0]
    if len(deviations) < 2 or max(deviations) < 100 or max(deviations) < 1000 * min(deviations):
        return None
    return f"columns whose deviations go from {min(deviations):.3g} to {max(deviations):.3g}"
