"""The first batch of the training loader, given again and again: the one hook point that changes a run.

It is there where `--overfit-batch` asks for it. A loader whose batch was trained on gives a copy of the first
batch of that pass from then on, in later passes too, until `stream.repeating` says that it is enough. Loaders
that are only evaluated on give what they always do.

`repeated`: subject the loader, before a batch is given once more; `samples` in it, where that is known.
"""

from __future__ import annotations

import copy
import functools
import weakref
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from torchstone.review.epochs import Samples
from torchstone.review.objects import ByIdentity, Identities
from torchstone.review.overfitting import EnoughSteps

if TYPE_CHECKING:
    from torchstone.review.stream import Event, Stream


class _First:
    """The first batches of iterators, and which loaders are trained on."""

    def __init__(self) -> None:
        self._loaders: ByIdentity[weakref.ref[Any]] = ByIdentity()
        self._given: ByIdentity[Any] = ByIdentity()
        """By iterator, a copy of what it gave first."""
        self._training: ByIdentity[Any] = ByIdentity()
        """By loader, the batch that it repeats."""
        self._fresh: Identities = Identities()
        """Iterators that gave a batch since the last step."""

    def began(self, iterator: Any, loader: Any) -> None:
        self._loaders[iterator] = weakref.ref(loader)
        self._given.pop(iterator, None)

    def gave(self, iterator: Any, data: Any) -> None:
        if iterator in self._loaders:
            if iterator not in self._given:
                self._given[iterator] = _copied(data)
            self._fresh.add(iterator)

    def loader(self, iterator: Any) -> Any:
        """The loader of an iterator whose batches are trained on."""
        held = self._loaders.get(iterator)
        loader = None if held is None else held()
        return loader if loader is not None and loader in self._training else None

    def batch(self, loader: Any) -> Any:
        """The batch that it repeats."""
        return self._training[loader]

    def on_step_ended(self, event: Event) -> None:
        """An optimizer learned from the batches at work."""
        for iterator in list(self._fresh):
            loader = self._loaders[iterator]()
            if loader is not None and iterator in self._given:
                self._training.setdefault(loader, self._given[iterator])
        self._fresh.clear()


def install(stream: Stream) -> None:
    """Replaces what loaders give, if that was asked for."""
    enough = stream.repeating
    if enough is None:
        return
    first = _First()
    stream.subscribe(first)
    begun, following = DataLoader.__iter__, _BaseDataLoaderIter.__next__

    @functools.wraps(begun)
    def begin(self: Any) -> Any:
        iterator = begun(self)
        first.began(iterator, self)
        return iterator

    @functools.wraps(following)
    def give(self: Any) -> Any:
        loader = None if stream.quiet else first.loader(self)
        if loader is None:
            data = following(self)
            if not stream.quiet:
                first.gave(self, data)
            return data
        if enough():
            raise EnoughSteps
        batch = _copied(first.batch(loader))
        stream.emit("repeated", loader, samples=Samples(batch, None).count or None)
        return batch

    stream.replace(DataLoader, "__iter__", begin)
    stream.replace(_BaseDataLoaderIter, "__next__", give)


def _copied(data: Any) -> Any:
    """A copy, as scripts change their batches; the batch itself where none can be made."""
    try:
        return copy.deepcopy(data)
    except Exception:
        return data
