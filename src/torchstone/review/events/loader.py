"""Batches that a `DataLoader` gives.

`epoch_began`: subject the loader, when iteration begins. `batch`: subject the loader; `data`, `number`
(counted from 0 in the epoch). `epoch_ended`: `batches`.
"""

from __future__ import annotations

import functools
import weakref
from typing import Any

from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `DataLoader.__iter__` and the `__next__` of its iterators."""
    original_iter, original_next = DataLoader.__iter__, _BaseDataLoaderIter.__next__
    loaders: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()

    @functools.wraps(original_iter)
    def begin(self: Any) -> Any:
        iterator = original_iter(self)
        loaders[iterator] = weakref.ref(self)
        stream.emit("epoch_began", self)
        return iterator

    @functools.wraps(original_next)
    def following(self: Any) -> Any:
        number = self._num_yielded
        try:
            data = original_next(self)
        except StopIteration:
            stream.emit("epoch_ended", _loader(loaders, self), batches=number)
            raise
        stream.emit("batch", _loader(loaders, self), data=data, number=number)
        return data

    stream.replace(DataLoader, "__iter__", begin)
    stream.replace(_BaseDataLoaderIter, "__next__", following)


def _loader(loaders: Any, iterator: Any) -> Any:
    known = loaders.get(iterator)
    return None if known is None else known()
