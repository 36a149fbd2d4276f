"""Whole passes over a loader in which nothing was trained: what an evaluation looks like from outside."""

from __future__ import annotations

import dis
import weakref
from collections.abc import Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

from torchstone.review.detector import Detector
from torchstone.review.layers import kinds_of, mode_layers
from torchstone.review.objects import Identities, is_tensor
from torchstone.review.pausing import STEADY
from torchstone.review.places import is_users

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

_MOST_PASSES = 16
_MOST_MODULES = 16
_MOST_TENSORS = 16


class Look:
    """The calls of one module in a pass.

    Args:
        event: the first call.
        fed: it was given a tensor as large as one of the batch.
        told: the program asked for training mode since its last step.
    """

    def __init__(self, event: Event, fed: bool, told: bool) -> None:
        self.module = weakref.ref(event.subject)
        self.place: Place | None = event.place
        self.fed = fed and event.direct
        """The user's own code called it on the batch."""
        self.told = told
        self.discarded = _is_discarded(event.frame)
        """Nothing is done with its output, as where only running statistics are wanted."""
        self.training = bool(event.training)
        self.layers = kinds_of([layer for layer in mode_layers(event.subject) if layer.training])
        """The classes of layers that behaved as in training."""
        self.functions = _functions(event.frame)
        """The names of the user's functions that were being called."""
        self.times = 0
        self.recording = False
        """An output had a graph."""
        self.open = False
        """An output had a graph, or is of a kind that cannot be looked into while gradients are recorded."""

    def count(self, event: Event) -> None:
        """Another call."""
        self.times += 1
        held = tensors(event.output)
        recording = any(tensor.requires_grad for tensor in held)
        self.recording = self.recording or recording
        self.open = self.open or recording or (not held and event.values.get("recording", True))


class Pass:
    """An iteration of a loader."""

    def __init__(self, place: Place | None) -> None:
        self.place = place
        self.batches = 0
        self.sizes: set[int] = set()
        """How many numbers the tensors of the first batch have."""
        self.trained = False
        """A backward pass or a step came before its end."""
        self.looks: dict[int, Look] = {}


class PassDetector(Detector):
    """Gives each module that a whole pass without training called to `judge`.

    An output that has a graph may be used by a backward pass after the loop: then the verdict waits for the
    next backward pass. If that comes for a batch of another pass, or never, it was not for these outputs.
    """

    PAUSES = STEADY

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._open: dict[int, Pass] = {}
        self._current: Pass | None = None
        self._waiting: list[tuple[Pass, Look]] = []
        self._loaded: Identities = Identities()
        self._told: list[weakref.ref[Any]] = []

    def judge(self, seen: Pass, look: Look, module: Any) -> None:
        """Says whether the pass was wrong."""
        raise NotImplementedError

    def on_epoch_began(self, event: Event) -> None:
        """A pass begins."""
        while len(self._open) >= _MOST_PASSES:
            self._open.pop(next(iter(self._open)))
        self._open[id(event.subject)] = Pass(event.place)

    def on_batch(self, event: Event) -> None:
        """It goes on."""
        seen = self._current = self._open.get(id(event.subject))
        if seen is None or seen.trained:
            return
        seen.batches += 1
        if seen.batches == 1:
            seen.sizes = {tensor.numel() for tensor in tensors(event.data)}

    def on_forward(self, event: Event) -> None:
        """A module is called by the program."""
        if not event.root:
            return
        seen = self._current
        if seen is None or seen.trained:
            return
        look = seen.looks.get(id(event.subject))
        if look is None:
            if seen.batches != 1 or len(seen.looks) >= _MOST_MODULES:
                return
            given = tensors((event.args, event.kwargs))
            fed = any(tensor.numel() in seen.sizes for tensor in given)
            look = seen.looks[id(event.subject)] = Look(event, fed, self._was_told(event.subject))
        look.count(event)

    def on_backward(self, event: Event) -> None:
        """What was seen of the pass that goes on belongs to training."""
        self._train()
        if self._told:
            self._told.clear()

    def on_gradient(self, event: Event) -> None:
        """`torch.autograd.grad`: as `backward`."""
        self._train()

    def on_state_loaded(self, event: Event) -> None:
        """Weights that were trained before."""
        self._loaded.add(event.subject)

    def on_mode(self, event: Event) -> None:
        """The program asks for training mode."""
        if event.training:
            self._told.append(weakref.ref(event.subject))

    def on_epoch_ended(self, event: Event) -> None:
        """The pass is over."""
        seen = self._open.pop(id(event.subject), None)
        if seen is self._current:
            self._current = None
        if seen is None or seen.trained:
            return
        for look in seen.looks.values():
            module = look.module()
            if module is None or not look.fed or look.discarded or not self._is_trained(module):
                continue
            if look.open:
                self._waiting = [*self._waiting[-_MOST_MODULES:], (seen, look)]
            else:
                self.judge(seen, look, module)

    def on_end(self, event: Event) -> None:
        """Nothing comes after."""
        self._settle()

    def _settle(self) -> None:
        """Judges what waited."""
        waiting, self._waiting = self._waiting, []
        for seen, look in waiting:
            module = look.module()
            if module is not None:
                self.judge(seen, look, module)

    def _train(self) -> None:
        """Gradients come: of a batch, then those that wait were not for them; else they may have been."""
        current = self._current
        if self._waiting:
            if current is not None and not current.trained and current.looks:
                self._settle()
            self._waiting.clear()
        for seen in self._open.values():
            seen.trained = True
            seen.looks.clear()

    def _was_told(self, module: Any) -> bool:
        told = [each for reference in self._told if (each := reference()) is not None]
        return any(each is module or any(part is module for part in each.modules()) for each in told)

    def _is_trained(self, module: Any) -> bool:
        """Whether an optimizer of the program stepped on its parameters, or its weights were loaded."""
        if module in self._loaded:
            return True
        held = list(module.parameters())
        return any(account.steps for _, account in self.gradients.owners(held))


def tensors(value: Any, depth: int = 3) -> list[Any]:
    """The tensors in lists, tuples, dictionaries and outputs of models, the first few."""
    if is_tensor(value):
        return [value]
    if not depth:
        return []
    held: Any = ()
    kind = type(value)
    if issubclass(kind, Mapping):
        held = value.values()
    elif issubclass(kind, (list, tuple)):
        held = value
    found: list[Any] = []
    for each in list(held)[:_MOST_TENSORS]:
        found += tensors(each, depth - 1)
    return found[:_MOST_TENSORS]


def _functions(frame: FrameType | None) -> list[str]:
    names = []
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            names.append(frame.f_code.co_name.lower())
        frame = frame.f_back
    return names


def _is_discarded(frame: FrameType | None) -> bool:
    """Whether a frame is in a call whose result it throws away."""
    if frame is None:
        return False
    following = (each for each in dis.get_instructions(frame.f_code) if each.offset > frame.f_lasti)
    return next((each.opname == "POP_TOP" for each in following if each.opname != "CACHE"), False)
