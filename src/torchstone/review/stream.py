"""What is seen of a running program: events, in their order, given to those who asked for them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from torchstone.review.places import Place, place_of_frame, users_frame

if TYPE_CHECKING:
    from torchstone.review.naming import Names

Undo = Callable[[], None]
Patch = tuple[Any, str, Any, Any]

_EVERY_STEP = 10
"""So many first steps are looked at in full."""

_LARGEST_GAP = 64
"""From a steady state on every such step is."""


class Event:
    """One thing that the program did; not to be kept.

    Args:
        kind: such as `backward`; a detector with a method `on_backward` gets it.
        subject: what did it: a module, an optimizer, a loader ...
        values: what belongs to the kind, by name, and is had as an attribute; see the hook point's file
            under `events/`.
        frame: where it was seen.
    """

    __slots__ = ("_frame", "kind", "subject", "values")

    def __init__(self, kind: str, subject: Any, values: dict[str, Any], frame: FrameType) -> None:
        self.kind = kind
        self.subject = subject
        self.values = values
        self._frame = frame

    @property
    def place(self) -> Place | None:
        """The user's file and line, found out when it is asked for."""
        return place_of_frame(self._frame)

    @property
    def frame(self) -> FrameType | None:
        """The frame of the user's code."""
        return users_frame(self._frame)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


class Stream:
    """The events of one watched program.

    Args:
        failed: is told of a handler that failed, by its owner and the error; the handler is not called again.
        names: learns what modules are called.
    """

    def __init__(self, failed: Callable[[Any, Exception], None], names: Names | None = None) -> None:
        self.step = 0
        """How many optimizer steps were done, of all optimizers."""
        self.sampled = True
        """Whether this step is looked at in full; cheap facts are gathered at every step."""
        self.quiet = 0
        """Above 0 nothing is seen: inside of compiled code, and while the watcher itself is at work."""
        self._handlers: dict[str, list[tuple[Any, Callable[[Event], None]]]] = {}
        self._patches: list[Patch] = []
        self._undo: list[Undo] = []
        self._failed = failed
        self.names = names
        self.closed = False

    def subscribe(self, owner: Any) -> None:
        """Lets an object have the events that it has methods for, such as `on_backward`."""
        for name in dir(owner):
            if name.startswith("on_"):
                self._handlers.setdefault(name[3:], []).append((owner, getattr(owner, name)))

    def wants(self, kind: str) -> bool:
        """Whether anybody asked for a kind of event."""
        return kind in self._handlers

    def emit(self, kind: str, subject: Any = None, **values: Any) -> None:
        """Tells everybody who asked.

        Args:
            kind: of the event.
            subject: what did it.
            **values: what belongs to the kind.
        """
        handlers = self._handlers.get(kind)
        if not handlers or self.quiet:
            return
        event = Event(kind, subject, values, sys._getframe(1))
        self.quiet += 1
        try:
            for entry in tuple(handlers):
                self._call(handlers, entry, event)
        finally:
            self.quiet -= 1

    def _call(
        self,
        handlers: list[tuple[Any, Callable[[Event], None]]],
        entry: tuple[Any, Callable[[Event], None]],
        event: Event,
    ) -> None:
        owner, handler = entry
        try:
            handler(event)
        except Exception as error:  # the script goes on, whatever fails here
            self.drop(owner)
            self._failed(owner, error)

    def drop(self, owner: Any) -> None:
        """Tells an object nothing more."""
        for handlers in self._handlers.values():
            handlers[:] = [entry for entry in handlers if entry[0] is not owner]

    def advance(self) -> None:
        """A step was done: the next is looked at in full, or not."""
        self.step += 1
        gap = min(_LARGEST_GAP, 1 << max(0, (self.step // _EVERY_STEP).bit_length()))
        self.sampled = self.step < _EVERY_STEP or self.step % gap == 0

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Puts a value in the place of an attribute until the end; compiled code sees the one before."""
        self._patches.append((owner, name, inspect.getattr_static(owner, name), value))
        setattr(owner, name, value)

    def at_end(self, undo: Undo) -> None:
        """Lets something be done when watching ends."""
        self._undo.append(undo)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Inside, PyTorch is as if nobody watched."""
        self.suspend()
        try:
            yield
        finally:
            self.resume()

    def suspend(self) -> None:
        """Takes every replacement away; must be followed by `resume`."""
        self.quiet += 1
        if self.quiet == 1:
            self._put(self._patches, 2)

    def resume(self) -> None:
        """Brings the replacements back."""
        self.quiet -= 1
        if self.quiet == 0:
            self._put(self._patches, 3)

    def close(self) -> None:
        """Ends watching: everything is as it was."""
        self.closed = True
        self._put(reversed(self._patches), 2)
        self._patches.clear()
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        self._handlers.clear()

    @staticmethod
    def _put(patches: Iterable[Patch], which: int) -> None:
        for patch in patches:
            setattr(patch[0], patch[1], patch[which])
