"""Training goes through data that is sorted by class, in its order.

## What it does
Looks at loaders that a loop trains on and that do not shuffle, and reports those whose data the code itself
shows to be sorted by class: folders of pictures by class, labels put together class by class, a table sorted
by its label, scikit-learn's iris and wine. A watched run counts how often the label changes from one sample
to the next in a pass that is trained on, and reports a pass in which each class comes in one stretch.

## Why is this bad?
Each batch holds one class. The model learns to answer with that class and forgets the others, the loss looks
very low within each stretch, and batch normalisation sees one class at a time.

## References
- [DataLoader](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader)
- [ImageFolder](https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html)
"""

from __future__ import annotations

import ast
import operator
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torchstone.finding import Edit, Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.events import Loop
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.loaders import Loader, loaders
from torchstone.review.syntax.origins import Origin, origins, resolved

if TYPE_CHECKING:
    from torchstone.review.epochs import Epoch
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS401"
NAME = "unshuffled-sorted-data"
SEVERITY: Severity = "error"
MENTIONS = ("DataLoader",)

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        cats, dogs = torch.randn(100, 8) - 1, torch.randn(100, 8) + 1
        inputs = torch.cat([cats, dogs])
        labels = torch.cat([torch.zeros(100), torch.ones(100)]).long()
        loader = DataLoader(TensorDataset(inputs, labels), batch_size=20)  # TS401
        model = nn.Linear(8, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(3):
            for x, y in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
        """,
        fixed="""
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        cats, dogs = torch.randn(100, 8) - 1, torch.randn(100, 8) + 1
        inputs = torch.cat([cats, dogs])
        labels = torch.cat([torch.zeros(100), torch.ones(100)]).long()
        loader = DataLoader(TensorDataset(inputs, labels), batch_size=20, shuffle=True)
        model = nn.Linear(8, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for epoch in range(3):
            for x, y in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
        """,
    ),
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader
        from torchvision import datasets, transforms

        transform = transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()])
        data = datasets.ImageFolder("flowers/train", transform)
        loader = DataLoader(data, batch_size=32)  # TS401
        model = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
        fixed="""
        import torch
        from torch import nn
        from torch.utils.data import DataLoader
        from torchvision import datasets, transforms

        transform = transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()])
        data = datasets.ImageFolder("flowers/train", transform)
        loader = DataLoader(data, batch_size=32, shuffle=True)
        model = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    cats, dogs = torch.randn(100, 8) - 1, torch.randn(100, 8) + 1
    inputs = torch.cat([cats, dogs])
    labels = torch.cat([torch.zeros(100), torch.ones(100)]).long()
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=20, shuffle=True)
    model = nn.Linear(8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    """,
)

_FOLDERS = words("ImageFolder DatasetFolder ImageNet EuroSAT Country211 Caltech101 Caltech256")
"""Data sets that list their samples class by class."""
_TABLES = {"sklearn.datasets.load_iris": 150, "sklearn.datasets.load_wine": 178}
"""Tables whose rows are sorted by class, and how many there are."""

_CONVERSIONS = words(
    "tensor as_tensor from_numpy array asarray FloatTensor LongTensor Tensor long int float double to astype "
    "reshape view squeeze unsqueeze flatten ravel to_numpy copy clone contiguous numpy cpu cuda type"
)
_JOINS = words("cat concat concatenate hstack vstack append")
_FILLED = words("zeros ones full zeros_like ones_like full_like")
_REORDERS = words("shuffle permutation permuted randperm sample resample argsort")


def check(file: File) -> Iterator[Finding]:
    """Looks at each loader that is trained on in its order."""
    if "DataLoader" not in file.source.text:
        return
    for loader in loaders(file):
        if loader.frame.file is not file or not loader.keeps_order or loader.dataset is None:
            continue
        loops = [loop for loop in loader.trains if _uses_labels(loop)]
        if not loops or _takes_all(loader):
            continue
        found = _sorted(loader.frame, loader.dataset, loader)
        if found is not None:
            yield _finding(file, loader, loops[0], *found)


def _takes_all(loader: Loader) -> bool:
    """Whether one batch may hold the whole data set, so that the order is nothing."""
    size = loader.given(1, "batch_size")
    return size is not None and any(isinstance(node, ast.Call) for node in ast.walk(size))


def _uses_labels(loop: Loop) -> bool:
    """Whether the loop takes a second thing from each batch and does something with it."""
    node = loop.node
    assert isinstance(node, ast.For | ast.AsyncFor)  # noqa: S101 (loops over loaders are no while)
    target = node.target
    enumerated = isinstance(node.iter, ast.Call) and ast.unparse(node.iter.func).endswith("enumerate")
    if enumerated and isinstance(target, ast.Tuple) and len(target.elts) == 2:
        target = target.elts[1]
    inner = [each for statement in node.body for each in ast.walk(statement)]
    if isinstance(target, ast.Name):
        batch = target.id
        for each in inner:
            if not isinstance(each, ast.Assign) or not isinstance(each.targets[0], ast.Tuple):
                continue
            if batch in {n.id for n in ast.walk(each.value) if isinstance(n, ast.Name)}:
                target = each.targets[0]
                break
    if not isinstance(target, ast.Tuple) or len(target.elts) != 2 or not isinstance(target.elts[1], ast.Name):
        return False
    name = target.elts[1].id
    return any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in inner)


def _sorted(frame: Frame, dataset: ast.expr, loader: Loader) -> tuple[Origin, str] | None:
    """What shows that a data set is sorted by class, and how to say it."""
    here = resolved(Origin(frame, dataset))
    if not isinstance(here.node, ast.Call) or here.path:
        return None
    name = here.frame.name(here.node.func) or ""
    last = name.rsplit(".", 1)[-1]
    if name.startswith("torchvision.datasets.") and last in _FOLDERS:
        return here, f"`{last}` lists its samples class by class"
    if name != "torch.utils.data.TensorDataset" or len(here.node.args) != 2:
        return None
    if not _REORDERS.isdisjoint(here.frame.file.index.calls_by_name):
        return None  # perhaps in place
    return _sorted_labels(Origin(here.frame, here.node.args[1], here.callers), loader)


def _sorted_labels(here: Origin, loader: Loader) -> tuple[Origin, str] | None:
    for _ in range(20):
        here = resolved(here)
        node = here.node
        if isinstance(node, ast.Attribute):
            if node.attr == "target":
                inner = resolved(Origin(here.frame, node.value, here.callers, here.path))
                return _table(inner, loader)
            if node.attr == "values" and isinstance(node.value, ast.Subscript):
                return _sorted_table(here.frame, node.value)
            return None
        if isinstance(node, ast.Subscript):
            return _sorted_table(here.frame, node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts = [node.left, node.right]
            return _blocks(here, parts) if all(_repeated(part) for part in parts) else None
        if not isinstance(node, ast.Call):
            return None
        last = ast.unparse(node.func).rsplit(".", 1)[-1]
        if last in ("load_iris", "load_wine"):
            return _table(here, loader)
        if here.path:
            return None
        if last in _JOINS and node.args and isinstance(node.args[0], ast.List | ast.Tuple):
            return _blocks(here, node.args[0].elts)
        if last in ("repeat", "repeat_interleave"):
            return _ranged(here, node)
        if last not in _CONVERSIONS:
            return None
        library = here.frame.name(node.func) is not None
        source = node.args[0] if library and node.args else None
        if not library and isinstance(node.func, ast.Attribute):
            source = node.func.value
        if source is None:
            return None
        here = Origin(here.frame, source, here.callers)
    return None


def _table(here: Origin, loader: Loader) -> tuple[Origin, str] | None:
    """A table of scikit-learn whose rows are sorted by class."""
    if not isinstance(here.node, ast.Call):
        return None
    name = here.frame.name(here.node.func) or ""
    size = loader.given(1, "batch_size")
    whole = (
        isinstance(size, ast.Constant) and isinstance(size.value, int) and size.value >= _TABLES.get(name, 0)
    )
    if name not in _TABLES or whole:
        return None
    return here, f"the rows of `{name.rsplit('.', 1)[-1]}` are sorted by class"


def _sorted_table(frame: Frame, node: ast.Subscript) -> tuple[Origin, str] | None:
    """`table["label"]` of a table that was sorted by that column."""
    if not isinstance(node.slice, ast.Constant) or not isinstance(node.slice.value, str):
        return None
    for origin in origins(frame, node.value):
        call = origin.node
        if isinstance(call, ast.Name):
            continue
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return None
        if call.func.attr == "reset_index":
            continue
        if call.func.attr != "sort_values":
            return None
        by = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "by")]
        if by and isinstance(by[0], ast.Constant) and by[0].value == node.slice.value:
            return origin, f"`{ast.unparse(call)}` sorts the rows by their label"
        return None
    return None


def _blocks(here: Origin, parts: list[ast.expr]) -> tuple[Origin, str] | None:
    """Labels that are put together from one stretch for each class."""
    inner = [resolved(Origin(here.frame, part, here.callers)) for part in parts]
    if len(inner) < 2 or not all(_is_filled(part) for part in inner):
        return None
    if len({_value(part.node) for part in inner}) != len(inner):
        return None
    return here, f"`{ast.unparse(here.node)}` puts the labels together class by class"


def _is_filled(here: Origin) -> bool:
    """Whether an expression is an array of one value."""
    node = here.node
    if _repeated(node):
        return True
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _FILLED and here.frame.name(node.func) is not None:
            return True
        node = node.func.value if node.func.attr in _CONVERSIONS else node.func
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        sides = (node.left, node.right)
        return any(isinstance(side, ast.Constant) for side in sides) and any(
            _is_filled(Origin(here.frame, side)) for side in sides
        )
    return False


def _repeated(node: ast.expr) -> bool:
    """`[0] * n`."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return False
    left = node.left
    return isinstance(left, ast.List) and len(left.elts) == 1 and isinstance(left.elts[0], ast.Constant)


def _value(node: ast.expr) -> str:
    """What an array is filled with, as far as it must differ from the others'."""
    if isinstance(node, ast.BinOp):
        return ast.unparse(node.left)
    text = ast.unparse(node)
    if "full" in text and isinstance(node, ast.Call) and len(node.args) > 1:
        return ast.unparse(node.args[1])
    return "zeros" if "zeros" in text else "ones" if "ones" in text else text


def _ranged(here: Origin, call: ast.Call) -> tuple[Origin, str] | None:
    """`np.repeat(np.arange(k), n)`, `torch.arange(k).repeat_interleave(n)`."""
    name = here.frame.name(call.func)
    if name in ("numpy.repeat", "torch.repeat_interleave"):
        if len(call.args) != 2 or call.keywords:
            return None
        base = call.args[0]
    elif name is None and isinstance(call.func, ast.Attribute) and call.func.attr == "repeat_interleave":
        base = call.func.value
    else:
        return None
    base = resolved(Origin(here.frame, base, here.callers)).node
    counted = isinstance(base, ast.Call) and ast.unparse(base.func).rsplit(".", 1)[-1] in ("arange", "range")
    listed = isinstance(base, ast.List) and all(isinstance(each, ast.Constant) for each in base.elts)
    if not counted and not listed:
        return None
    return here, f"`{ast.unparse(call)}` puts the labels together class by class"


def _shuffling(file: File, loader: Loader) -> tuple[Edit, ...]:
    """The edit that makes a loader shuffle."""
    given = loader.given(2, "shuffle")
    if given is not None:
        return (file.replace(given, "True"),)
    last = max(
        (*loader.call.args, *(keyword.value for keyword in loader.call.keywords)),
        key=lambda node: (node.lineno, node.col_offset),
    )
    end = file.replace(last, "")
    return (Edit(end.file, end.end_line, end.end_column, end.end_line, end.end_column, ", shuffle=True"),)


def _finding(file: File, loader: Loader, loop: Loop, shown: Origin, told: str) -> Finding:
    related = [loop.frame.file.related(loop.node, "this loop trains on it")]
    if shown.node is not loader.dataset and shown.frame.file is file:
        related.insert(0, file.related(shown.node, "sorted here"))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        loader.call,
        f"`{loader.name}` trains in the order of its data, and {told}",
        why="each batch holds one class, so the model learns it and forgets the others",
        fix=Fix("Give `shuffle=True` to the training loader.", edits=_shuffling(file, loader)),
        related=tuple(related),
    )


_PASSES = 2
"""So many passes over a loader are looked at."""

_MOST_CLASSES = 2000
"""With more different targets they are no classes."""

_MOST_RUNS = 1.5
"""So many stretches of one label there are for each class at the most, where they are sorted."""


@dataclass
class _Labels:
    """The labels of one pass, in their order.

    Args:
        counts: of each label.
        runs: stretches of one label.
        last: the label of the last sample.
        distinct: labels in each batch, summed.
        usable: whether every batch had labels, and they may still be sorted.
    """

    counts: Counter[Any] = field(default_factory=Counter)
    runs: int = 0
    last: Any = None
    distinct: int = 0
    usable: bool = True

    def add(self, labels: list[Any]) -> None:
        """Takes the labels of a batch."""
        changes = sum(map(operator.ne, labels, [self.last, *labels]))
        self.runs += changes
        self.last = labels[-1]
        self.counts.update(labels)
        self.distinct += len(set(labels))
        # With more runs than that, no number of classes can still make them sorted.
        self.usable = len(self.counts) <= _MOST_CLASSES and self.runs <= _MOST_RUNS * _MOST_CLASSES

    def are_sorted(self, batches: int) -> bool:
        """Whether each class comes in one stretch, though batches could hold many of them."""
        total, classes = self.counts.total(), len(self.counts)
        shares = [count / total for count in self.counts.values()]
        by_chance = total * (1 - sum(share * share for share in shares))
        size = total / batches
        mixed = sum(1 - (1 - share) ** size for share in shares)
        return (
            classes > 1
            and self.runs <= _MOST_RUNS * classes
            and by_chance >= 10 * self.runs
            and self.distinct / batches <= 0.6 * mixed
        )


class Watch(Detector):
    """Looks whether the labels of a pass that is trained on are sorted."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._seen: ByIdentity[_Labels] = ByIdentity()

    def on_epoch_began(self, event: Event) -> None:
        """Only the first passes are looked at."""
        self._seen.pop(event.subject, None)
        if event.epoch.number < _PASSES:
            self._seen[event.subject] = _Labels()

    def on_batch(self, event: Event) -> None:
        """Counts labels."""
        labels = self._seen.get(event.subject)
        if labels is None or not labels.usable:
            return
        targets = event.samples.targets
        if not _are_classes(targets):
            labels.usable = False
        elif len(targets):
            labels.add(targets.detach().reshape(-1).tolist())

    def on_epoch_ended(self, event: Event) -> None:
        """Judges the pass, where it was one of training with many steps."""
        labels = self._seen.pop(event.subject, None)
        epoch: Epoch = event.epoch
        usable = labels is not None and labels.usable and epoch.batches >= 4
        if labels is None or not usable or not epoch.trains or 2 * epoch.steps < epoch.batches:
            return
        if labels.are_sorted(epoch.batches):
            self._report(epoch, labels)

    def _report(self, epoch: Epoch, labels: _Labels) -> None:
        per_batch = labels.distinct / epoch.batches
        self.found(
            f"Training goes through data sorted by class: the label changed {labels.runs - 1} times in "
            f"{labels.counts.total()} samples, a batch held {per_batch:.3g} of {len(labels.counts)} classes",
            why="the model learns to answer with the class of the last batches and forgets the others",
            place=epoch.shown,
            fix="Give the loader `shuffle=True`.",
            related=((epoch.place, "this pass was trained on"),) if epoch.made else (),
            samples=labels.counts.total(),
            classes=len(labels.counts),
            label_changes=labels.runs - 1,
            classes_per_batch=per_batch,
        )


def _are_classes(targets: Any) -> bool:
    """Whether targets on the host are one whole number, or 0 or 1, for each sample."""
    if targets is None or targets.device.type != "cpu" or targets.is_sparse:
        return False
    if targets.numel() != len(targets) or targets.is_complex():
        return False
    return not targets.is_floating_point() or bool(((targets == 0) | (targets == 1)).all())
