"""Batches of our own loop (`ts.fit`, `ts.train`), which come from no `DataLoader` or from one of ours.

The events are those of `loader.py`; their subject is a `Feed`, which stands for the loader. Batches that are
only tried before training begins are not told.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

from torch.utils.data import DataLoader

from torchstone.review.arrival import when_imported
from torchstone.review.epochs import Epoch, Feed, Samples, Uses
from torchstone.review.places import place_of_frame
from torchstone.review.stream import Stream

_SESSION = "torchstone.training.session"
_FITTING = "torchstone.fitting"

_TOGETHER = 1024
"""So many batches the loop may take before it learns from each of them: it may gather their gradients."""


def install(stream: Stream) -> None:
    """Replaces `Session.create` of the loop and what measures afterwards, once they are imported."""
    uses = Uses(stream, _TOGETHER)
    stream.subscribe(uses)
    stream.at_end(when_imported(_SESSION, lambda: _replace_create(stream, uses)))
    stream.at_end(when_imported(_FITTING, lambda: _replace_measure(stream, uses)))


def _replace_create(stream: Stream, uses: Uses) -> None:
    session = sys.modules[_SESSION].Session
    original = session.create

    @functools.wraps(original.__func__)
    def create(cls: Any, *args: Any, **kwargs: Any) -> Any:
        made = original.__func__(cls, *args, **kwargs)
        if not stream.quiet:
            made.train = _told(stream, uses, made.train, "train")
            made.val = _told(stream, uses, made.val, "val")
        return made

    stream.replace(session, "create", classmethod(create))


def _replace_measure(stream: Stream, uses: Uses) -> None:
    fitting = sys.modules[_FITTING]
    original = fitting.measure_module

    @functools.wraps(original)
    def measure(module: Any, batches: Any, meaning: Any, split: str, **kwargs: Any) -> Any:
        told = batches if stream.quiet else _told(stream, uses, batches, split)
        return original(module, told, meaning, split, **kwargs)

    stream.replace(fitting, "measure_module", measure)


def _told(stream: Stream, uses: Uses, batches: Any, name: str) -> Any:
    """The batches, told; those of a loader with a sampler of the user's own are told by `loader.py`."""
    if batches is None or getattr(batches, "sampler", batches) is None:
        return batches
    return _Told(stream, uses, batches, name)


class _Told:
    """Batches of ours that are the same, in the same order, and are told.

    Args:
        stream: to which.
        uses: finds out what a pass is for.
        batches: of the loop.
        name: what they are for: train, val, test.
    """

    def __init__(self, stream: Stream, uses: Uses, batches: Any, name: str) -> None:
        self._stream, self._uses, self._batches, self._name = stream, uses, batches, name
        self._passes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    def to(self, device: Any) -> _Told:
        """The same on a device."""
        return _Told(self._stream, self._uses, self._batches.to(device), self._name)

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Any]:
        """The batches of an epoch after its first `position` samples."""
        batches = self._batches.epoch(epoch, position)
        if self._stream.closed or self._stream.quiet:
            return cast("Iterator[Any]", batches)
        return self._telling(batches, self._indices(epoch, position))

    def _indices(self, epoch: int, position: int) -> Iterator[list[int]]:
        """Of the batches that the user's data set is asked for one by one, in this process."""
        sampler = getattr(self._batches, "sampler", None)
        if sampler is None or self._batches.loader.num_workers:
            return iter(())
        return iter(sampler.indices(epoch, position))

    @cached_property
    def _feed(self) -> Feed | None:
        """What stands for the loader; None where it cannot be made."""
        try:
            return Feed(_loader(self._batches), self._name)
        except Exception as error:
            self._stream.fail(error)
            return None

    def _telling(self, batches: Iterator[Any], asked: Iterator[list[int]]) -> Iterator[Any]:
        stream, feed, number = self._stream, self._feed, 0
        if feed is None:
            yield from batches
            return
        passing = Epoch(feed, self._passes, None, place_of_frame(sys._getframe(1)))
        self._passes += 1
        stream.emit("epoch_began", feed, epoch=passing, took=0.0)
        while True:
            if (indices := next(asked, None)) is not None:
                stream.emit("fetching", feed, indices=indices)
            began = time.perf_counter()
            if (batch := next(batches, None)) is None:
                break
            if not stream.quiet and not stream.closed:
                self._tell(batch, passing, number, time.perf_counter() - began)
            yield batch
            number += 1
        stream.emit("epoch_ended", feed, batches=number, epoch=passing)

    def _tell(self, batch: Any, passing: Epoch, number: int, waited: float) -> None:
        self._uses.began(passing, waited)
        if not self._uses.is_told(passing):
            return
        data = batch.inputs if batch.targets is None else (batch.inputs, batch.targets)
        told = {"data": data, "samples": _Samples(data, batch.indices)}
        self._stream.emit("batch", self._feed, **told, number=number, epoch=passing, waited=waited)


class _Samples(Samples):
    """The samples of a batch of ours, which tells their places itself."""

    def __init__(self, data: Any, places: Any) -> None:
        super().__init__(data, None)
        self._places = places

    @cached_property
    def indices(self) -> list[int] | None:
        """Of the samples in the data set."""
        if self._places is None or len(self._places) != self.count:
            return None
        found: list[int] = self._places.tolist()
        return found


def _loader(batches: Any) -> Any:
    """The user's loader, or one that would give what our batches are gathered from."""
    if hasattr(batches, "loader"):
        return batches.loader
    rows = batches.rows
    data = getattr(rows, "tensor", rows)  # of a tensor each batch has the same one, wherever it is sliced
    return DataLoader(
        data, batch_size=batches.batch_size, shuffle=batches.shuffle, drop_last=batches.drop_last
    )
