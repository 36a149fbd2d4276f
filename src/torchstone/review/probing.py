"""Calls of a model in training that are made once more with other inputs, under `--thorough` alone.

A few times in a run the calls of the program are kept until their gradients are computed, with the loss
that their output went to. Detectors ask then what reaches what; how the model is called without a difference
to the run stands in `events/probing.py`.
"""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from torchstone.review.calls import Call
from torchstone.review.crashes import tensors
from torchstone.review.objects import ByIdentity, Identities, is_tensor

if TYPE_CHECKING:
    from torchstone.review.events.blaming import Culprit
    from torchstone.review.stream import Event

_CALLS = frozenset({2, 3, 5, 9, 17, 33, 65, 257, 1025})
"""These calls of a model in training are looked at; at the very first, much is still zero."""

_MOST_CALLS = 4
_MOST_LOOKS = 4
_NODES = 8
_KEY = "torchstone"
"""Under this name a node of the graph keeps what belongs to the call that made it."""

Seen = TypeVar("Seen")


class Batch:
    """A batch that a loader put together of samples in random order: the samples come first in it.

    Args:
        held: its tensors.
    """

    def __init__(self, held: list[Any]) -> None:
        self.samples = int(held[0].shape[0])
        self.ids = {id(tensor) for tensor in held}
        self.shapes = {tuple(tensor.shape) for tensor in held}
        self.sizes = {tensor.numel() for tensor in held}

    def has(self, tensor: Any) -> bool:
        """Whether a tensor is one of the batch, or was made of one by something like `to`."""
        shape = tuple(tensor.shape)
        plain = len(shape) > 1 and self.samples not in shape[1:]
        return shape in self.shapes and (plain or id(tensor) in self.ids)


class _Kept:
    """What a call was given, and what its loss compares with; stays where the call's graph does."""

    def __init__(self, given: Any) -> None:
        self.given = given
        self.targets: Any = None

    def let_go(self) -> None:
        """Keeps nothing."""
        self.given = self.targets = None


class Trial:
    """A call of a model by the program, and the loss of its output.

    Args:
        event: the beginning of the call.
        batch: that was fetched before; None where the samples' place in it is not known.
    """

    def __init__(self, event: Event, batch: Batch | None) -> None:
        self._call = Call(event, None)
        self._during: _Kept | None = _Kept((event.args, event.kwargs))
        self._kept = weakref.ref(self._during)
        self.batch = batch
        self.place = event.place
        self.loss: str | None = None
        """The name of the loss."""
        self.options: dict[str, Any] = {}
        self.which: int | None = None
        """The output that went to the loss, among those with a row for each sample; None for a loss that is
        computed inside of the call."""
        self._mixing: Any = _UNKNOWN

    @property
    def module(self) -> Any:
        """The model; None when it is gone."""
        return self._call.module()

    @property
    def given(self) -> Any:
        """What the model was given: positions and names."""
        kept = self._kept()
        return ((), {}) if kept is None else kept.given

    @property
    def targets(self) -> Any:
        """What the loss compares with."""
        kept = self._kept()
        return None if kept is None else kept.targets

    def gave(self, output: Any) -> None:
        """The call has ended: from now on its graph keeps what it was given, where there is one."""
        held = [one for one in tensors(output) if one.is_floating_point()]
        for position, tensor in enumerate(held):
            alike = [one for one in held[:position] if one.dim() and one.shape[:1] == tensor.shape[:1]]
            if tensor.grad_fn is not None:
                tensor.grad_fn.metadata[_KEY] = self._during, len(alike)
        self._during = None

    def meets(self, event: Event) -> bool:
        """Whether a loss is computed of the call's output; if so it is kept."""
        which = self._output_of(event.subject)
        if which is None:
            return False
        self.which = which
        self.take(event)
        return True

    def take(self, event: Event) -> None:
        """Keeps the loss."""
        kept = self._kept()
        if kept is not None:
            self.loss, kept.targets = event.name, event.targets
            self.options = {name: one for name, one in event.options.items() if not is_tensor(one)}

    def _output_of(self, tensor: Any) -> int | None:
        waiting, seen, kept = [tensor.grad_fn], 0, self._kept()
        while waiting and seen < _NODES and kept is not None:
            node = waiting.pop(0)
            seen += 1
            if node is None:
                continue
            by, which = node.metadata.get(_KEY, (None, None))
            if by is kept:
                return int(which)
            waiting += [behind for behind, _ in node.next_functions]
        return None

    def can_be_made(self) -> bool:
        """Whether the call can be made once more, and undone."""
        self._call.hold()  # what was changed since is lost
        possible = self._call.can_be_made() and _is_plain(self._call.held)
        self._call.let_go()
        return possible and bool(_events("probing").can_be_called(self.module))

    def let_go(self) -> None:
        """Keeps nothing alive."""
        kept, self._during = self._kept(), None
        if kept is not None:
            kept.let_go()

    def mixing(self) -> Culprit | None:
        """Whether samples of a batch reach each other's outputs; see `events/comparing.py`."""
        if self._mixing is _UNKNOWN:
            self._mixing = None
            if self.batch is not None and self._is_of_samples(self.batch) and self.can_be_made():
                args, kwargs = self.given
                self._mixing = comparing().mixing(self.module, args, kwargs, self.batch.samples, self.which)
        result: Culprit | None = self._mixing
        return result

    def _is_of_samples(self, batch: Batch) -> bool:
        """Whether each row of what goes in and comes out is a sample that the others have no part in."""
        targets = self.targets
        if self.which is None or not is_tensor(targets) or targets.dim() == 0:
            return False
        if targets.shape[0] != batch.samples or targets.numel() not in batch.sizes:
            return False
        inputs = [one for one in tensors(self.given) if one.dim() > 1]
        return any(batch.has(one) for one in inputs) and bool((targets != targets.flatten()[0]).any())


_UNKNOWN = object()


class Probes:
    """The calls whose gradients are not computed yet.

    Args:
        on: whether that was asked for.
    """

    def __init__(self, *, on: bool) -> None:
        self.on = on
        self.trials: list[Trial] = []
        self._calls: ByIdentity[int] = ByIdentity()
        """How often models were called in training."""
        self._stacking: Identities = Identities()
        """The passes over loaders that put samples together at random."""
        self._batch: Batch | None = None
        self._open: Trial | None = None

    def on_epoch_began(self, event: Event) -> None:
        """What a loader does; the iterator alone may be kept by the program."""
        if stacks_at_random(event.subject):
            self._stacking.add(event.epoch)

    def on_batch(self, event: Event) -> None:
        """A batch, whose first dimension may be known."""
        self._batch = None
        if event.epoch in self._stacking:
            held = [tensor for tensor in tensors(event.data) if tensor.dim()]
            if held and len({tensor.shape[0] for tensor in held}) == 1:
                self._batch = Batch(held)

    def on_forward_began(self, event: Event) -> None:
        """A model is called."""
        if self._open is not None:  # a call that failed
            self._let_go()
        if not event.recording or not event.subject.training:
            return
        number = self._calls[event.subject] = self._calls.get(event.subject, 0) + 1
        if number in _CALLS and not importlib.import_module(_REPLAYING).is_transformed():
            self._open = Trial(event, self._batch)
            self.trials = [*self.trials[1 - _MOST_CALLS :], self._open]

    def on_forward(self, event: Event) -> None:
        """Its output."""
        trial = self._open
        if event.root and trial is not None:
            self._open = None
            if trial.module is event.subject:
                trial.gave(event.output)

    def on_loss(self, event: Event) -> None:
        """What an output is for."""
        if self._open is not None:
            self._open.take(event)
        elif self.trials:
            for trial in reversed(self.trials):
                if trial.meets(event):
                    break

    def on_backward_ended(self, event: Event) -> None:
        """All was asked."""
        self._let_go()

    def on_gradient(self, event: Event) -> None:
        """Gradients that are returned."""
        self._let_go()

    def on_step_ended(self, event: Event) -> None:
        """A step with a closure, or without a backward pass."""
        self._let_go()

    def on_epoch_ended(self, event: Event) -> None:
        """Whatever it was."""
        self._let_go()

    def on_end(self, event: Event) -> None:
        """Nothing comes after."""
        self._let_go()

    def _let_go(self) -> None:
        for trial in self.trials:
            trial.let_go()
        self.trials, self._open = [], None


class Looks:
    """Asks a question about a model at several steps, and has an answer when two of them said so."""

    def __init__(self) -> None:
        self._asked: ByIdentity[int] = ByIdentity()
        self._seen: ByIdentity[int] = ByIdentity()

    def at(self, trial: Trial, ask: Callable[[Trial], Seen | None]) -> Seen | None:
        """The answer, where it is given for the second time.

        Args:
            trial: a call of the model.
            ask: gives None for nothing to say; where it fails, the model is not asked about again.
        """
        module = trial.module
        if module is None or trial.loss is None or self._asked.get(module, 0) >= _MOST_LOOKS:
            return None
        self._asked[module] = self._asked.get(module, 0) + 1
        try:
            answer = ask(trial)
        except Exception:  # the model does not take such inputs
            self._asked[module] = _MOST_LOOKS
            return None
        if answer is None:
            return None
        self._seen[module] = self._seen.get(module, 0) + 1
        if self._seen[module] < 2:
            return None
        self._asked[module] = _MOST_LOOKS
        return answer


_REPLAYING = "torchstone.review.events.replaying"


def comparing() -> Any:
    """The questions that can be asked about a model."""
    return _events("comparing")


def _events(name: str) -> Any:
    # Imported by name, as reading source must work where there is no torch.
    return importlib.import_module(f"torchstone.review.events.{name}")


def stacks_at_random(loader: Any) -> bool:
    """Whether a loader's batches are its samples, drawn at random and stacked."""
    sampler = type(getattr(loader, "sampler", None)).__name__
    collate = getattr(loader, "collate_fn", None)
    stacks = getattr(collate, "__name__", "") == "default_collate"
    return stacks and loader.batch_size is not None and sampler in ("RandomSampler", "SubsetRandomSampler")


def _is_plain(value: Any) -> bool:
    """Whether a value is made of tensors and constants, in containers that can be copied."""
    if isinstance(value, dict):
        return type(value) is dict and all(_is_plain(each) for each in value.values())
    if isinstance(value, list | tuple):
        return (type(value) in (list, tuple) or hasattr(value, "_fields")) and all(map(_is_plain, value))
    if is_tensor(value):
        return type(value).__name__ in ("Tensor", "Parameter") and str(value.layout) == "torch.strided"
    return value is None or isinstance(value, bool | int | float | str)
