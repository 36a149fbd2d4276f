"""A distributed sampler gives the same order in every epoch.

## What it does
Reports a loop over epochs around a loader whose sampler is a shuffling `DistributedSampler` made in the same
function, when nothing in the file calls `set_epoch`.

## Why is this bad?
The sampler's shuffle depends on its seed and its epoch only. Without `set_epoch` every epoch repeats the
batches of the first.

## References
- [DistributedSampler](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.file import File

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS902"
NAME = "missing-set-epoch"
SEVERITY: Severity = "warning"
MENTIONS = ("DistributedSampler",)

BAD = (
    Example(
        """
        import torch
        from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

        data = TensorDataset(torch.randn(8, 2))
        sampler = DistributedSampler(data, num_replicas=2, rank=0)
        loader = DataLoader(data, batch_size=2, sampler=sampler)
        for epoch in range(3):
            for (x,) in loader:  # TS902
                print(epoch, x)
        """
    ),
)
GOOD = (
    """
    import torch
    from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

    data = TensorDataset(torch.randn(8, 2))
    sampler = DistributedSampler(data, num_replicas=2, rank=0)
    loader = DataLoader(data, batch_size=2, sampler=sampler)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        for (x,) in loader:
            print(epoch, x)
    """,
)

_SAMPLERS = ("torch.utils.data.DistributedSampler", "torch.utils.data.distributed.DistributedSampler")


def check(file: File) -> Iterator[Finding]:
    """Looks at loops over a loader inside of another loop of the same function."""
    if "DistributedSampler" not in file.index.calls_by_name or "set_epoch" in file.source.text:
        return
    for node in file.index.nodes[ast.For]:
        if not isinstance(node, ast.For) or not isinstance(node.iter, ast.Name):
            continue
        sampler = _sampler(file, node.iter)
        if sampler is not None and _repeated(file, node):
            yield _finding(file, node.iter, sampler)


def _sampler(file: File, loader: ast.Name) -> ast.Call | None:
    """The shuffling distributed sampler of a loader that is surely made here."""
    value = file.value(loader)
    if value is None or value.kind != "loader" or not value.sure or value.call is None or value.frame is None:
        return None
    if value.frame.file is not file:
        return None
    given = next((word.value for word in value.call.keywords if word.arg == "sampler"), None)
    if isinstance(given, ast.Name):
        bindings = value.frame.scope.bindings.get(given.id, [])
        given = getattr(bindings[0].node, "value", None) if len(bindings) == 1 else None
    if not isinstance(given, ast.Call) or value.frame.name(given.func) not in _SAMPLERS:
        return None
    options = {word.arg: word.value for word in given.keywords}
    shuffle = options.get("shuffle")
    if None in options or len(given.args) > 3:
        return None
    return given if shuffle is None or (isinstance(shuffle, ast.Constant) and shuffle.value) else None


def _repeated(file: File, loop: ast.For) -> bool:
    """Whether the loop stands in a loop over epochs."""
    scope = file.index.scope_of(loop)
    for above in file.index.ancestors(loop):
        if above is scope.node:
            return False
        if isinstance(above, ast.For) and "epoch" in ast.unparse(above.target).lower():
            return True
    return False


def _finding(file: File, loader: ast.Name, sampler: ast.Call) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        loader,
        f"`{loader.id}` gives the same order in every epoch: its sampler's `set_epoch` is never called",
        why="the sampler's shuffle depends on its seed and its epoch only",
        fix=Fix("Call `sampler.set_epoch(epoch)` at the start of each epoch."),
        related=(file.related(sampler, "the sampler is made here"),),
    )


class Watch(Detector):
    """Looks whether a sampler still has the epoch of the pass before, when a model has learned from both."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._epochs: ByIdentity[list[int]] = ByIdentity()

    def on_epoch_ended(self, event: Event) -> None:
        """Judges a pass that was learned from."""
        sampler = distributed_sampler(event.subject)
        if sampler is None or not sampler.shuffle or not event.epoch.trains:
            return
        seen = self._epochs.setdefault(sampler, [])
        seen.append(sampler.epoch)
        if len(seen) < 2 or len(set(seen)) > 1 or len(sampler.dataset) < 2:
            return
        self.found(
            "Each pass over the loader has the same order: its sampler's `set_epoch` is never called",
            why="the sampler's shuffle depends on its seed and its epoch only",
            place=event.epoch.place,
            fix="Call `sampler.set_epoch(epoch)` at the start of each epoch.",
            related=((event.epoch.made, "the loader is made here"),),
            passes=len(seen),
            epoch=sampler.epoch,
        )


def distributed_sampler(loader: Any) -> Any:
    """The `DistributedSampler` of a loader, where it is torch's own."""
    for sampler in (
        getattr(loader, "sampler", None),
        getattr(getattr(loader, "batch_sampler", None), "sampler", None),
    ):
        kind = type(sampler)
        if kind.__name__ == "DistributedSampler" and kind.__module__ == "torch.utils.data.distributed":
            return sampler
    return None
