"""Batches: the order of samples is a pure function of (seed, epoch), and where we are in it is a number.

Nothing else remembers the place, so any epoch can be continued at any sample: `epoch(3, position=640)` gives
what `epoch(3)` gives after its first 640 samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, repeat
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from torchstone.data.rows import Rows

_CHUNK_BYTES = 4 << 20
"""How much is gathered at once on the CPU: hundreds of small batches, yet little beside a data set."""

_CHUNK_BYTES_DEVICE = 32 << 20
"""The same on an accelerator, where a launch costs more and memory is plenty."""

_DEVICE_SHARE = 0.5
"""The share of a GPU's free memory that rows may take to live there."""


class Batch(NamedTuple):
    """What one forward pass is fed with.

    Args:
        inputs: what the module is called with.
        targets: what the loss compares with; None where there is no target.
        weights: the weight of each sample, float `(B,)`, or None.
        indices: the place of each sample in the whole data set, int64 `(B,)` on the CPU, or None where a
            loader does not tell.
    """

    inputs: Any
    targets: Any
    weights: Tensor | None = None
    indices: Tensor | None = None

    def given(self) -> Any:
        """The batch as the user's own loop would see it: `(inputs, targets[, weights])`, or inputs alone."""
        if self.targets is None:
            return self.inputs
        if self.weights is None:
            return self.inputs, self.targets
        return self.inputs, self.targets, self.weights


class Batches(Protocol):
    """Epochs of batches that can be continued where they were left.

    What cannot be known, such as the length of an iterable data set, is None.
    """

    @property
    def samples(self) -> int | None:
        """Samples of one epoch."""
        ...

    @property
    def steps(self) -> int | None:
        """Batches of one epoch."""
        ...

    @property
    def batch_size(self) -> int | None:
        """Samples of a full batch."""
        ...

    @property
    def resumable(self) -> Literal["sample", "epoch"]:
        """`sample` when an epoch can be continued inside, `epoch` when only at its start."""
        ...

    @property
    def notes(self) -> list[str]:
        """What must be said about the batches, one sentence each."""
        ...

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Batch]:
        """The batches of an epoch after its first `position` samples."""
        ...

    def to(self, device: torch.device | str) -> Batches:
        """The same batches on `device`."""
        ...


def order(seed: int, epoch: int, count: int) -> Tensor:
    """The permutation in which `count` samples are seen in an epoch, int64 `(count,)` on the CPU.

    A pure function: nobody's random state is read or changed. `numpy.random.SeedSequence` mixes the two
    numbers, so that seed 0, epoch 1 and seed 1, epoch 0 have nothing in common.
    """
    mixed = int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0])
    generator = torch.Generator().manual_seed(mixed >> 1)
    return torch.randperm(count, generator=generator)


def borders(count: int, batch_size: int, position: int, *, join_single: bool, drop_last: bool) -> list[int]:
    """Where batches begin and end from `position` on: batch i is `[borders[i], borders[i + 1])`."""
    if position >= count:
        return [count]
    cuts = [*range(position, count, batch_size), count]
    last = cuts[-1] - cuts[-2]
    if drop_last and last < batch_size:
        cuts.pop()
    elif join_single and last == 1 and len(cuts) > 2:
        cuts.pop(-2)
    return cuts


def choose_batch_size(samples: int) -> int:
    """A batch size for a data set: the largest power of two with at least 64 steps an epoch, 16 to 1024.

    About what published recipes for tables use (256 for the 33,000 rows of Adult, 512 for 54,000).
    """
    size = 16
    while size < 1024 and samples // (2 * size) >= 64:
        size *= 2
    return size


class TensorBatches:
    """Batches of rows in memory.

    Many batches are gathered at once and handed out as views, so that a batch costs a few microseconds. Rows
    that fit live on the device; others are gathered in pinned memory and copied ahead of their use.

    Args:
        rows: the inputs of the whole data set.
        targets: the targets of the whole data set, `(N, ...)`, or None.
        indices: which samples take part, int64 `(M,)`; None: all.
        batch_size: samples per batch.
        shuffle: a new order each epoch, from `seed` and the epoch; else the order of `indices`.
        seed: seed of the order.
        weights: the weights of the whole data set's samples, `(N,)`, or None.
        join_single: a last batch of one sample joins the batch before it (batch statistics need two).
        drop_last: leave out a last batch that is not full.
        device: where batches are given; default: where the rows are.
    """

    def __init__(
        self,
        rows: Rows,
        targets: Tensor | None,
        indices: Tensor | None = None,
        *,
        batch_size: int,
        shuffle: bool,
        seed: int = 0,
        weights: Tensor | None = None,
        join_single: bool = False,
        drop_last: bool = False,
        device: torch.device | str | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.rows = rows
        self.targets = targets
        self.indices = torch.arange(len(rows)) if indices is None else indices.to("cpu", torch.int64)
        self.weights = weights
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.join_single = join_single
        self.drop_last = drop_last
        self.device = rows.device if device is None else torch.device(device)
        self.resumable: Literal["sample", "epoch"] = "sample"
        self.notes: list[str] = []

    @property
    def samples(self) -> int:
        """Samples of one epoch."""
        return self._borders(0)[-1] if len(self.indices) else 0

    @property
    def steps(self) -> int:
        """Batches of one epoch."""
        return len(self._borders(0)) - 1

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Batch]:
        """The batches of an epoch after its first `position` samples."""
        indices = self.indices
        if self.shuffle:
            indices = indices[order(self.seed, epoch, len(indices))]
        chunks = self._chunks(indices, self._borders(position))
        if self.device.type == "cuda" and self.rows.device != self.device:
            chunks = _copied_ahead(chunks, self.device)
        for chunk in chunks:
            yield from chunk.split()

    def to(self, device: torch.device | str) -> TensorBatches:
        """The same batches on `device`; the rows move there too when half its free memory holds them."""
        device = torch.device(device)
        lives_there = _fits(self.rows.nbytes, device)
        home = device if lives_there else torch.device("cpu")
        return TensorBatches(
            self.rows.to(home),
            None if self.targets is None else self.targets.to(home),
            self.indices,
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            seed=self.seed,
            weights=None if self.weights is None else self.weights.to(home),
            join_single=self.join_single,
            drop_last=self.drop_last,
            device=device,
        )

    def _borders(self, position: int) -> list[int]:
        return borders(
            len(self.indices),
            self.batch_size,
            position,
            join_single=self.join_single,
            drop_last=self.drop_last,
        )

    def _chunks(self, indices: Tensor, cuts: list[int]) -> Iterator[_Chunk]:
        """Groups of batches, each group gathered by one call per tensor."""
        budget = _CHUNK_BYTES if self.rows.device.type == "cpu" else _CHUNK_BYTES_DEVICE
        group = max(1, budget // max(1, self.rows.row_bytes * self.batch_size))
        for first in range(0, len(cuts) - 1, group):
            inside = cuts[first : first + group + 1]
            gathered = self._gather(indices[inside[0] : inside[-1]])
            yield _Chunk(gathered, [end - start for start, end in pairwise(inside)])

    def _gather(self, indices: Tensor) -> Batch:
        there = indices.to(self.rows.device, non_blocking=True)
        targets = None if self.targets is None else self.targets.index_select(0, there)
        weights = None if self.weights is None else self.weights.index_select(0, there)
        return Batch(self.rows.take(there), targets, weights, indices)


class _Chunk(NamedTuple):
    """Several batches in one."""

    samples: Batch
    sizes: list[int]

    def split(self) -> Iterator[Batch]:
        """The batches, views of the chunk."""
        parts = (
            repeat(None) if part is None else torch.split_with_sizes(part, self.sizes)
            for part in self.samples
        )
        return map(Batch, *parts)


def _fits(nbytes: int, device: torch.device) -> bool:
    """Whether rows of that size may live on the device."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return nbytes <= _DEVICE_SHARE * free


def _copied_ahead(chunks: Iterator[_Chunk], device: torch.device) -> Iterator[_Chunk]:
    """The chunks on the GPU; each is copied on a stream of its own while the one before is used."""
    stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    waiting: _Chunk | None = None
    for samples, sizes in chunks:
        with torch.cuda.stream(stream):
            copied = _Chunk(_pinned_copy(samples, device), sizes)
        if waiting is not None:
            yield _arrived(waiting, stream, device)
        waiting = copied
    if waiting is not None:
        yield _arrived(waiting, stream, device)


def _pinned_copy(batch: Batch, device: torch.device) -> Batch:
    inputs, targets, weights = (
        None if part is None else part.pin_memory().to(device, non_blocking=True) for part in batch[:3]
    )
    return Batch(inputs, targets, weights, batch.indices)


def _arrived(chunk: _Chunk, stream: torch.cuda.Stream, device: torch.device) -> _Chunk:
    """The chunk, once the stream that uses it waits for the stream that copied it."""
    here = torch.cuda.current_stream(device)
    here.wait_stream(stream)
    for part in chunk.samples[:3]:
        if part is not None:
            part.record_stream(here)  # its memory may be reused only after this stream is done with it
    return chunk
