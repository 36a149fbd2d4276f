"""What goes through a program's loaders: passes, what they were used for, the samples of a batch."""

from __future__ import annotations

import re
import time
import weakref
from collections.abc import Iterator
from functools import cached_property
from types import FrameType
from typing import TYPE_CHECKING, Any

from torchstone.review.objects import attributes, is_tensor

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event, Stream

_ELEMENTS = 256
"""So many numbers of a sample, evenly spread, tell it from others."""

MOST_WAITS = 10_000

_PASSES = 2
"""In so many passes over a loader each batch is told."""

_TARGETS = re.compile(r"^(?:y|labels?|targets?|classes|class_id)$")
_HELD_OUT = re.compile(
    r"(?:^|[^a-z])(?:val|valid|validation|test|testing|dev|eval|evaluation|held_?out|holdout)"
)
_TRAINING = re.compile(r"train|fit")


class Epoch:
    """One pass over a loader.

    Args:
        loader: of the program.
        number: of this pass over the loader, from 0.
        made: where the loader was made.
        place: where the pass began.
    """

    def __init__(self, loader: Any, number: int, made: Place | None, place: Place | None) -> None:
        self._loader = weakref.ref(loader)
        self.number = number
        self.made = made
        self.place = place
        self.batches = 0
        self.learned = 0
        """After so many batches a gradient was computed before the next."""
        self.steps = 0
        self.forwards = 0
        self.recorded = 0
        """So many of the forwards were those of training: gradients recorded, in training mode."""
        self.modules: dict[int, weakref.ref[Any]] = {}
        self.pending = 0
        self.given = 0.0
        """When it gave its first batch; its clock is that of `time.perf_counter`."""
        self.waits: list[float] = []
        """Seconds that each of the others was waited for, up to `MOST_WAITS`."""

    @property
    def loader(self) -> Any:
        """None once it is gone."""
        return self._loader()

    @property
    def trains(self) -> bool:
        """Whether a model learns from this pass."""
        return self.learned > 0 and 2 * self.learned >= self.batches

    @property
    def evaluates(self) -> bool:
        """Whether a model is only evaluated in this pass."""
        return self.learned == 0 and self.forwards > 0 and self.recorded == 0

    @property
    def shown(self) -> Place | None:
        """The line to show: where the loader was made, else where the pass began."""
        return self.made or self.place

    def shares_model(self, other: Epoch) -> bool:
        """Whether a module was called in both passes."""
        mine = [held() for held in self.modules.values()]
        theirs = [held() for held in other.modules.values()]
        return any(one is not None and one is another for one in mine for another in theirs)


class Feed:
    """What our own loop reads; it stands for a loader, and has what that one has.

    Args:
        loader: the user's, or one like it.
        name: what it is for: train, val, test.
    """

    def __init__(self, loader: Any, name: str) -> None:
        self.loader = loader
        self.name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def names(self, frame: FrameType | None) -> set[str]:
        """What it is for, and what the user calls the loader where that does not speak of training."""
        return {
            self.name,
            *(one for one in names_of(self.loader, frame) if not _TRAINING.search(one.lower())),
        }


class Samples:
    """A batch as it came from a loader; not to be kept.

    Args:
        data: of the batch.
        indices: what the loader asked its data set for, where that is known.
    """

    def __init__(self, data: Any, indices: Any) -> None:
        self.data = data
        self._known: dict[str, list[int] | None] = {}
        self._indices = indices

    @cached_property
    def parts(self) -> list[tuple[str | None, Any]]:
        """All tensors, with the keys that they have."""
        return list(_tensors(self.data))

    @cached_property
    def _named(self) -> list[tuple[str | None, Any]]:
        return [(name, tensor) for name, tensor in self.parts if tensor.dim() > 0]

    @cached_property
    def inputs(self) -> Any:
        """The first tensor; None where there is none."""
        return self._named[0][1] if self._named else None

    @cached_property
    def count(self) -> int:
        """The number of samples."""
        return len(self.inputs) if self.inputs is not None else 0

    @cached_property
    def indices(self) -> list[int] | None:
        """Of the samples in the loader's data set, where they are known."""
        asked = self._indices
        if not isinstance(asked, list) or set(map(type, asked)) != {int}:
            return None
        return asked if len(asked) == self.count else None

    @cached_property
    def targets(self) -> Any:
        """What shall be predicted, where that is known."""
        return _targets(self._named, self.data)

    def hashes(self) -> list[int] | None:
        """Of each sample as a whole."""
        return self._once("all", [tensor for _, tensor in self.parts if tensor.dim() > 0])

    def input_hashes(self) -> list[int] | None:
        """Of the inputs of each sample."""
        return self._once("inputs", [self.inputs])

    def target_hashes(self) -> list[int] | None:
        """Of the targets of each sample."""
        return self._once("targets", [self.targets])

    def _once(self, name: str, tensors: list[Any]) -> list[int] | None:
        if name not in self._known:
            self._known[name] = self._hashes(tensors)
        return self._known[name]

    def _hashes(self, tensors: list[Any]) -> list[int] | None:
        if not tensors or not self.count or not all(_readable(one, self.count) for one in tensors):
            return None
        try:
            columns = [_rows(one) for one in tensors]
        except TypeError:  # a type of number that NumPy lacks
            return None
        return [hash(row) for row in zip(*columns, strict=True)]


def _tensors(data: Any, name: str | None = None, depth: int = 0) -> Iterator[tuple[str | None, Any]]:
    """The tensors of a batch, with the keys that they have."""
    kind = type(data)
    if is_tensor(data):
        yield name, data
    elif issubclass(kind, dict) and depth < 2:
        for key, value in data.items():
            yield from _tensors(value, str(key), depth + 1)
    elif issubclass(kind, (list, tuple)) and depth < 2:
        for value in data:
            yield from _tensors(value, name, depth + 1)


def _targets(named: list[tuple[str | None, Any]], data: Any) -> Any:
    """What shall be predicted: the second of a pair, or what is called so."""
    if isinstance(data, list | tuple) and len(data) == len(named) == 2:
        return named[1][1]
    found = [tensor for name, tensor in named if name is not None and _TARGETS.match(name)]
    return found[0] if len(found) == 1 and len(named) > 1 else None


def _readable(tensor: Any, count: int) -> bool:
    """Whether the numbers can be read at once: on the host, dense."""
    known = tensor.device.type == "cpu" and not tensor.is_sparse and not tensor.is_quantized
    return bool(known and len(tensor) == count)


def _rows(tensor: Any) -> list[bytes]:
    """Some bytes of each sample."""
    count = len(tensor)
    flat = tensor.detach().numpy().reshape(count, -1)
    raw = flat[:, :: max(1, flat.shape[1] // _ELEMENTS)].tobytes()
    size = len(raw) // count
    return [raw[start : start + size] for start in range(0, size * count, size)] if size else [b""] * count


class Uses:
    """Finds out what passes are used for: which gave the batch of a forward or of a gradient.

    Args:
        stream: of the program.
        together: so many batches may be taken before gradients are computed, of each of them.
    """

    AFTER = ("epoch_began",)
    PAUSES = frozenset({"backward", "forward", "step_ended"})

    def __init__(self, stream: Stream, together: int = 1) -> None:
        self._stream, self._together = stream, together
        stream.left_out.append(self._left_out)
        self._fresh: list[Epoch] = []
        """The passes whose last batch may be at work, in the order of these batches."""
        self._used = False

    def began(self, epoch: Epoch, waited: float) -> None:
        """A batch is about to be given: what was left over from the batch before is settled.

        Args:
            epoch: the pass.
            waited: seconds that the program waited for the batch.
        """
        self._stream.waited += waited
        if not epoch.batches:
            epoch.given = time.perf_counter()
        elif len(epoch.waits) < MOST_WAITS:
            epoch.waits.append(waited)
        if self._used:
            self._fresh.clear()
            self._used = False
        if epoch in self._fresh:  # a new round; of several loaders read side by side this is the first
            del self._fresh[self._fresh.index(epoch) :]
        self._fresh.append(epoch)
        self._presume(epoch)
        epoch.batches += 1
        epoch.pending = min(epoch.pending + 1, self._together)

    def _presume(self, epoch: Epoch) -> None:
        """In a pause, the batch before was learned from as those before it were."""
        if self._stream.paused and epoch.learned:
            epoch.learned += epoch.pending
            epoch.pending = 0

    def _left_out(self, steps: int) -> None:
        """A pause was over so many steps."""
        for epoch in self._fresh:
            self._presume(epoch)
            epoch.steps += steps

    def is_told(self, epoch: Epoch) -> bool:
        """Whether a batch of a pass is told now: in pauses only those of the first passes are."""
        return not self._stream.paused or epoch.number < _PASSES

    def on_epoch_ended(self, event: Event) -> None:
        """The pass is over."""
        if event.epoch in self._fresh:
            self._fresh.remove(event.epoch)

    def on_backward(self, event: Event) -> None:
        """Learned from the batches at work."""
        self._used = True
        for epoch in self._fresh:
            epoch.learned += epoch.pending > 0
            epoch.pending = max(0, epoch.pending - 1)

    def on_gradient(self, event: Event) -> None:
        """Gradients that are returned count too."""
        self.on_backward(event)

    def on_step_ended(self, event: Event) -> None:
        """An optimizer made a step."""
        for epoch in self._fresh:
            epoch.steps += 1

    def on_forward(self, event: Event) -> None:
        """The program called a module."""
        if not event.root:
            return
        for epoch in self._fresh:
            epoch.forwards += 1
            epoch.recorded += event.recording and event.training
            if len(epoch.modules) < 8:
                epoch.modules.setdefault(id(event.subject), weakref.ref(event.subject))


def base_of(dataset: Any, index: int) -> tuple[Any, int]:
    """The data set and index that an index of a part (`Subset`) stands for."""
    base, (at,) = bases_of(dataset, [index])
    return base, at


def bases_of(dataset: Any, indices: list[int]) -> tuple[Any, list[int]]:
    """The same for several."""
    while any(
        kind.__name__ == "Subset" and kind.__module__.startswith("torch.") for kind in type(dataset).__mro__
    ):
        dataset, indices = dataset.dataset, [int(dataset.indices[index]) for index in indices]
    return dataset, indices


def names_of(loader: Any, frame: FrameType | None) -> set[str]:
    """What a loader, or the collection that it is in, is called in the program's frames from this one up."""
    # Not needed to read source, which has to start fast.
    from torchstone.review.places import is_users, locals_of

    if isinstance(loader, Feed):
        return loader.names(frame)
    found: set[str] = set()
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            local = locals_of(frame)
            found.update(_names_in(local, loader))
            found.update(_names_in(attributes(local.get("self")), loader))
            found.update(_names_in(frame.f_globals, loader))
        frame = frame.f_back
    return found


def _names_in(space: dict[str, Any], loader: Any) -> Iterator[str]:
    for name, value in list(space.items()):
        if value is loader:
            yield name
        elif type(value) is dict and len(value) < 20:
            yield from (str(key) for key, held in value.items() if held is loader)


def is_held_out(names: set[str]) -> bool:
    """Whether names say that a loader holds data to validate or test with, and none says training."""
    lower = {name.lower() for name in names}
    return any(_HELD_OUT.search(name) for name in lower) and not any(_TRAINING.search(name) for name in lower)
