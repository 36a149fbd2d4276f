"""Every process of a distributed training goes through all of the data.

## What it does
Reports a `DataLoader` over a map-style data set that has no sampler, when the loop over it trains a model
that is wrapped in `DistributedDataParallel`, and neither the data set nor the loop asks for the rank.

## Why is this bad?
The processes share the gradients, not the data. Without a `DistributedSampler` each one reads every sample:
an epoch takes as long as in one process, and without shuffling all of them compute the same batches.

## References
- [Distributed data parallel](https://docs.pytorch.org/tutorials/intermediate/ddp_tutorial.html)
- [DistributedSampler](https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler)
"""

from __future__ import annotations

import ast
import re
import weakref
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.places import Place
from torchstone.review.ranks import wraps_for_all
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.modes import is_held_out, loader_of
from torchstone.review.syntax.origins import origins, reaching
from torchstone.review.syntax.ranks import wrapped_by, wraps
from torchstone.review.syntax.training import loss_of
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.epochs import Epoch
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS901"
NAME = "missing-distributed-sampler"
SEVERITY: Severity = "error"
MENTIONS = ("DistributedDataParallel",)

BAD = (
    Example(
        """
        import torch
        import torch.distributed as dist
        from torch.nn.parallel import DistributedDataParallel
        from torch.utils.data import DataLoader, TensorDataset

        dist.init_process_group("gloo")
        data = TensorDataset(torch.randn(64, 2), torch.randn(64, 1))
        loader = DataLoader(data, batch_size=8, shuffle=True)  # TS901
        model = DistributedDataParallel(torch.nn.Linear(2, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import os
    import tempfile

    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel
    from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

    store = "file://" + os.path.join(tempfile.mkdtemp(), "store")
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    data = TensorDataset(torch.randn(64, 2), torch.randn(64, 1))
    sampler = DistributedSampler(data)
    loader = DataLoader(data, batch_size=8, sampler=sampler)
    model = DistributedDataParallel(torch.nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    dist.destroy_process_group()
    """,
)

_WHY = "the processes share gradients only; which samples each of them sees is the sampler's business"
_SHARED = re.compile(r"rank|shard|replica|partition|world|islice|split_by")
_ELSEWHERE = re.compile(
    r"[Aa]ccelerat|[Ff]abric\b|lightning|deepspeed|prepare_data_loader|parallelize_module|DeviceMesh|"
    r"device_mesh|PipelineStage|distributed\.pipelin|world_size=1\b|nprocs=1\b"
)
"""Tools that shard loaders themselves, and programs whose ranks must see the same data."""
_PARTS = ("torch.utils.data.random_split", "torch.utils.data.Subset", "torch.utils.data.dataset.random_split")


def check(file: File) -> Iterator[Finding]:
    """Looks at each backward whose loss is made by a wrapped model, and at the loader around it."""
    if not wraps(file) or _ELSEWHERE.search(file.source.text) or _seeds_by_rank(file):
        return
    reported: set[ast.AST] = set()
    for seen in (each for program in events(file) for each in program if each.event.kind == "backward"):
        loop = next((loop for loop in reversed(seen.loops) if _loader(loop) is not None), None)
        loader = _loader(loop) if loop is not None else None
        if loop is None or loader is None or is_held_out(loop) or _skips_by_rank(loop):
            continue
        place = _place(file, loader)
        if place is None or place in reported or not _reads_all(loader):
            continue
        wrapper = _wrapper(seen)
        if wrapper is not None:
            reported.add(place)
            yield _finding(file, place, loader, wrapper)


def _loader(loop: Loop) -> Value | None:
    if not isinstance(loop.node, ast.For):
        return None
    loader = loader_of(loop.frame, loop.node.iter)
    if loader is None or loader.name != "torch.utils.data.DataLoader" or loader.call is None:
        return None
    return loader if loader.frame is not None and loader.sure else None


def _wrapper(seen: Seen) -> tuple[Frame, ast.Call] | None:
    """The call that wrapped a model which the loss is made by."""
    loss = loss_of(seen)
    if loss is None:
        return None
    callers = tuple((call.frame, call.node) for call in seen.calls)
    for origin in origins(seen.event.frame, loss, callers):
        if isinstance(origin.node, ast.Call) and isinstance(origin.node.func, ast.Name | ast.Attribute):
            found = wrapped_by(origin.frame, origin.node.func, origin.callers)
            if found is not None:
                return found
    return None


def _reads_all(loader: Value) -> bool:
    """Whether a loader surely goes through all of a data set that every rank has as a whole."""
    call, frame = loader.call, loader.frame
    if call is None or frame is None or len(call.args) > 3:
        return False
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    if None in options or any(isinstance(argument, ast.Starred) for argument in call.args):
        return False
    for name in ("sampler", "batch_sampler"):
        if name in options and not (isinstance(options[name], ast.Constant)):
            return False
    data = call.args[0] if call.args else options.get("dataset")
    if data is None or not _is_map_style(frame, data):
        return False
    given = [data, *(options[name] for name in ("generator", "collate_fn") if name in options)]
    return not any(_names_share(frame, each) for each in given)


def _is_map_style(frame: Frame, node: ast.expr) -> bool:
    value = frame.value(node)
    if value is not None:
        if value.kind != "dataset":
            return False
        if value.cls is None:
            return value.name is not None
        bases = value.cls.library_bases()
        found = value.cls.method("__getitem__")
        if found is None or value.cls.method("__iter__") or any("Iterable" in base for base in bases):
            return False
        return not _SHARED.search(ast.unparse(value.cls.node).lower())
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        made = bindings[0].value if len(bindings) == 1 and bindings[0].kind == "assign" else None
        home = frame if bindings and bindings[0].scope is frame.scope else None
        if home is None or not isinstance(made, ast.Call):
            return False
        node = made
    if isinstance(node, ast.Call) and node.args and frame.name(node.func) in _PARTS:
        return _is_map_style(frame, node.args[0])
    return False


def _names_share(frame: Frame, node: ast.expr) -> bool:
    """Whether anything that the data are made of speaks of ranks or shards."""
    for origin in origins(frame, node):
        part = origin.node
        name = part.id if isinstance(part, ast.Name) else part.attr if isinstance(part, ast.Attribute) else ""
        if isinstance(part, ast.Call):
            name = ast.unparse(part.func)
        if _SHARED.search(name.lower()) and not _is_download(origin.frame.file, part):
            return True
    return False


def _is_download(file: File, node: ast.AST) -> bool:
    """`download=rank == 0` says who fetches the data, not who reads which."""
    return any(isinstance(a, ast.keyword) and a.arg == "download" for a in file.index.ancestors(node))


def _skips_by_rank(loop: Loop) -> bool:
    """`if i % world_size != rank: continue`."""
    return any(
        isinstance(node, ast.If)
        and _SHARED.search(ast.unparse(node.test).lower())
        and any(isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mod) for part in ast.walk(node.test))
        for node in ast.walk(loop.node)
    )


def _seeds_by_rank(file: File) -> bool:
    """Whether each rank draws its own order on purpose: `torch.manual_seed(seed + rank)`."""
    calls = [
        c for name in ("manual_seed", "seed", "set_seed") for c in file.index.calls_by_name.get(name, ())
    ]
    return any(_SHARED.search(ast.unparse(argument).lower()) for call in calls for argument in call.args)


def _place(file: File, loader: Value) -> ast.AST | None:
    """Where the loader is made; for one of another file the call in this file that led there."""
    assert loader.frame is not None  # noqa: S101 (asked before)
    for node in (loader.call, *reversed(loader.frame.path)):
        if isinstance(node, ast.Call) and node in file.index.parents:
            return node
    return None


def _finding(file: File, place: ast.AST, loader: Value, wrapper: tuple[Frame, ast.Call]) -> Finding:
    frame, call = wrapper
    data = loader.call.args[0] if loader.call is not None and loader.call.args else None
    name = f"`{ast.unparse(data)}`" if data is not None else "the data set"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        place,
        f"every rank goes through all of {name}: the loader has no `DistributedSampler`",
        why=_WHY,
        fix=Fix(
            "Give the loader `sampler=DistributedSampler(...)` instead of `shuffle=True`, and call "
            "`sampler.set_epoch(epoch)` at the start of each epoch."
        ),
        related=(frame.file.related(call, "the model is wrapped for several processes here"),),
    )


_WATCHED = 64
"""So many samples of a data set, evenly spread, are compared, and so many indices of the order."""
_ELEMENTS = 256
_FEWEST = 8
"""Samples that have to be the same on two ranks."""
_UNSEEDED = 1 << 40
"""A seed that nobody gave is a random number of 53 or 64 bits."""


class _Reading:
    """What one process read through one loader in its first pass."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.samples: dict[str, list[int]] = {}
        """By index: checksums of what belongs to the sample."""


class Watch(Detector):
    """Looks whether two processes learn from the same samples of the same data set.

    Loaders with torch's own sequential or random sampler over a data set with indices are looked at, where
    each batch goes through a wrapped model. Which samples are the same is told by their content.
    """

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._readings: weakref.WeakKeyDictionary[Epoch, _Reading] = weakref.WeakKeyDictionary()
        self._facts: list[dict[str, Any]] = []

    def on_batch(self, event: Event) -> None:
        """Notes the order, and a few samples, of a first pass."""
        epoch, indices = event.epoch, event.samples.indices
        if self.ranks.world < 2 or epoch.number > 0 or indices is None or not _asks_no_rank(event.subject):
            return
        reading = self._readings.setdefault(epoch, _Reading())
        if len(reading.order) < _WATCHED:
            reading.order += indices[:_WATCHED]
        stride = max(1, len(event.subject.dataset) // _WATCHED)
        for position, index in enumerate(indices if len(reading.samples) < 2 * _WATCHED else ()):
            if index % stride == 0:
                reading.samples[str(index)] = _checksums(event.samples.parts, position, len(indices))
        if epoch.batches == _FEWEST or epoch.batches == len(event.subject):
            self._note(epoch, event.subject)

    def on_epoch_ended(self, event: Event) -> None:
        """The pass is over."""
        self._note(event.epoch, event.subject)

    def _note(self, epoch: Epoch, loader: Any) -> None:
        reading = self._readings.get(epoch)
        if reading is None or epoch.shown is None or epoch.learned + 1 < epoch.batches:
            return
        if not any(wraps_for_all(held(), self.ranks.world) for held in epoch.modules.values()):
            return
        known = {
            "file": epoch.shown.file,
            "line": epoch.shown.line,
            "length": len(loader.dataset),
            "sampler": type(loader.sampler).__name__,
            "order": reading.order,
            "samples": reading.samples,
            "seed": self.ranks.seed(),
        }
        same = [f for f in self._facts if (f["file"], f["line"]) == (known["file"], known["line"])]
        if not same:
            self._facts.append(known)
        elif len(same[0]["samples"]) < len(reading.samples):
            same[0].update(known)

    def on_end(self, event: Event) -> None:
        """Compares with the other processes."""
        self.ranks.tell("read", self._facts)
        for rank, told in self.ranks.heard("read").items():
            for mine in self._facts if rank != self.ranks.rank else ():
                for theirs in told:
                    if all(mine[part] == theirs[part] for part in ("file", "line", "length", "sampler")):
                        self._compare(mine, theirs, rank)

    def _compare(self, mine: dict[str, Any], theirs: dict[str, Any], rank: int) -> None:
        same = _same_samples(mine["samples"], theirs["samples"])
        in_step = mine["order"][:_FEWEST] == theirs["order"][:_FEWEST]
        chosen = min(mine["seed"], theirs["seed"]) < _UNSEEDED
        if same < min(_FEWEST, mine["length"]) or (chosen and not in_step):
            return  # an order for each rank that somebody asked for
        where = Place(mine["file"], mine["line"])
        how = "in the same order" if in_step else "each in an order of its own"
        self.found(
            f"Ranks {min(rank, self.ranks.rank)} and {max(rank, self.ranks.rank)} both go through all "
            f"{mine['length']} samples, {how}: the loader has no `DistributedSampler`",
            why=_WHY,
            place=where,
            fix="Give the loader `sampler=DistributedSampler(...)` instead of `shuffle=True`, and call "
            "`sampler.set_epoch(epoch)` at the start of each epoch.",
            severity=None if in_step else "warning",
            samples_compared=same,
            sampler=mine["sampler"],
        )


def _asks_no_rank(loader: Any) -> bool:
    """Whether the order of a loader is made by samplers of torch that know of no ranks."""
    made = (type(loader.sampler), type(loader.batch_sampler))
    names = [kind.__name__ for kind in made if kind.__module__ == "torch.utils.data.sampler"]
    return names in (["SequentialSampler", "BatchSampler"], ["RandomSampler", "BatchSampler"])


def _checksums(parts: list[tuple[str | None, Any]], position: int, count: int) -> list[int]:
    """Of each tensor of a batch the part that belongs to one sample."""
    found = []
    for _, tensor in parts:
        if tensor.dim() and len(tensor) == count and tensor.device.type == "cpu" and not tensor.is_sparse:
            flat = tensor[position].detach().reshape(-1)
            some = flat[:: max(1, flat.numel() // _ELEMENTS)]
            found.append(zlib.crc32(repr(some.tolist()).encode()))
    return found


def _same_samples(mine: dict[str, list[int]], theirs: dict[str, list[int]]) -> int:
    """How many samples are the same on both sides; 0 where one differs, or all are alike.

    Inputs that are drawn anew each time differ; then the targets have to agree, and to change from sample to
    sample, which tells one part of sorted data from another.
    """
    common = sorted(set(mine) & set(theirs), key=int)
    for columns in (slice(None), slice(1, None)):
        pairs = [(mine[index][columns], theirs[index][columns]) for index in common]
        changes = sum(a[0] != b[0] for a, b in pairwise(pairs))
        known = bool(pairs) and bool(pairs[0][0])
        if known and all(a == b for a, b in pairs) and changes >= len(pairs) // 3:
            return len(pairs)
    return 0
