"""Batches that a `DataLoader` gives.

`epoch_began`: subject the loader, when iteration begins; `epoch` (see `review/epochs.py`), `took` (seconds
until its workers were started). `fetching`: before a batch is put together in this process; `indices`.
`batch`: subject the loader; `data`, `number` (counted from 0 in the epoch), `epoch`, `samples`, `waited`
(seconds). `epoch_ended`: `batches`, `epoch`. A loader that is gone before its iterator is None.
"""

from __future__ import annotations

import functools
import sys
import time
from collections import deque
from typing import Any

from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter, _SingleProcessDataLoaderIter

from torchstone.review.epochs import Epoch, Samples, Uses
from torchstone.review.objects import ByIdentity
from torchstone.review.places import Place, place_of_frame
from torchstone.review.stream import Stream

_OWN = "torchstone.data.samplers"
"""Where the data sets are from that our own loop puts around the user's."""


class _Reading:
    """What is known of an iterator of a loader."""

    __slots__ = ("asked", "epoch")

    def __init__(self) -> None:
        self.epoch: Epoch | None = None
        self.asked: deque[Any] = deque()
        """The indices of batches that were asked for and not given yet."""

    def next_indices(self, iterator: Any) -> Any:
        """The indices of the batch that is given now; None where they are not known."""
        found = self.asked.popleft() if self.asked else None
        return found if getattr(iterator, "_in_order", True) else None


class _Loaders:
    """What is known of loaders and their iterators; keeps none of them alive."""

    def __init__(self) -> None:
        self.made: ByIdentity[Place | None] = ByIdentity()
        self.passes: ByIdentity[int] = ByIdentity()
        self._readings: ByIdentity[_Reading] = ByIdentity()

    def begin(self, loader: Any, iterator: Any, place: Place | None) -> Epoch:
        number = self.passes.get(loader, -1) + 1
        self.passes[loader] = number
        epoch = self.reading(iterator).epoch = Epoch(loader, number, self.made.get(loader), place)
        return epoch

    def reading(self, iterator: Any) -> _Reading:
        """What is known of an iterator."""
        known = self._readings.get(iterator)
        if known is None:
            known = self._readings[iterator] = _Reading()
        return known


def install(stream: Stream) -> None:
    """Replaces `DataLoader.__init__` and `__iter__`, and what its iterators do for a batch."""
    known, uses = _Loaders(), Uses(stream)
    stream.subscribe(uses)
    _replace_loader(stream, known)
    _replace_indices(stream, known)
    original = _BaseDataLoaderIter.__next__

    @functools.wraps(original)
    def following(self: Any) -> Any:
        try:
            number, reading = self._num_yielded, known.reading(self)
        except Exception as error:  # an iterator of the program's own class
            stream.overlook(error)
            return original(self)
        epoch = reading.epoch
        began = time.perf_counter()
        try:
            data = original(self)
        except StopIteration:
            if epoch is not None:
                stream.emit("epoch_ended", epoch.loader, batches=number, epoch=epoch)
            raise
        waited = time.perf_counter() - began
        indices = reading.next_indices(self)
        if epoch is None or stream.quiet:
            return data
        uses.began(epoch, waited)
        if uses.is_told(epoch):
            samples = Samples(data, indices)
            stream.emit(
                "batch", epoch.loader, data=data, number=number, epoch=epoch, samples=samples, waited=waited
            )
        return data

    stream.replace(_BaseDataLoaderIter, "__next__", following)


def _replace_loader(stream: Stream, known: _Loaders) -> None:
    made, began = DataLoader.__init__, DataLoader.__iter__

    @functools.wraps(made)
    def make(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        if not stream.quiet:
            try:
                known.made[self] = place_of_frame(sys._getframe(1))
            except Exception as error:
                stream.fail(error)

    @functools.wraps(began)
    def begin(self: Any) -> Any:
        before = time.perf_counter()
        iterator = began(self)
        took = time.perf_counter() - before
        ours = type(getattr(self, "dataset", None)).__module__ == _OWN  # told by `own_loop.py`
        if not (stream.quiet or ours):
            try:
                epoch = known.begin(self, iterator, place_of_frame(sys._getframe(1)))
                stream.emit("epoch_began", self, epoch=epoch, took=took)
            except Exception as error:
                stream.fail(error)
        return iterator

    stream.replace(DataLoader, "__init__", make)
    stream.replace(DataLoader, "__iter__", begin)


def _replace_indices(stream: Stream, known: _Loaders) -> None:
    reset: Any = _BaseDataLoaderIter._reset
    ask: Any = _BaseDataLoaderIter._next_index

    @functools.wraps(reset)
    def start(self: Any, *args: Any, **kwargs: Any) -> Any:
        known.reading(self).asked.clear()  # left over where a pass was broken off
        return reset(self, *args, **kwargs)

    @functools.wraps(ask)
    def next_index(self: Any) -> Any:
        indices = ask(self)
        reading = known.reading(self)
        reading.asked.append(indices)
        epoch = reading.epoch if stream.wants("fetching") else None
        if epoch is not None and isinstance(self, _SingleProcessDataLoaderIter):
            stream.emit("fetching", epoch.loader, indices=indices)
        return indices

    stream.replace(_BaseDataLoaderIter, "_reset", start)
    stream.replace(_BaseDataLoaderIter, "_next_index", next_index)
