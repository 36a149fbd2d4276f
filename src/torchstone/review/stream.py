"""What is seen of a running program: events, in their order, given to those who asked for them."""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from threading import get_ident
from time import perf_counter
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from torchstone.review.objects import Identities
from torchstone.review.places import Place, calling_frame, is_users, place_of_frame, users_frame
from torchstone.review.standing import is_of_program, is_of_signal, standing

if TYPE_CHECKING:
    from torchstone.review.naming import Names
    from torchstone.review.pausing import Pausing

Undo = Callable[[], Any]
Entry = tuple[Any, Callable[["Event"], None]]
Table = dict[str, tuple[Entry, ...]]
Patch = tuple[Any, str, Any, Any, int | None]

_EVERY_STEP = 10
"""So many first steps are looked at in full."""

_GAPS = (1, 3, 5, 11, 17, 37, 67, 131)
"""Then one in so many, with each doubling of the steps fewer; odd, so that of optimizers that take turns each
is met."""

_CALLS, _OF_CALLS = 64, 67
"""After so many calls without a step, as in an evaluation or where no optimizer is, one in so many is."""

_FREE_SECONDS = 2.0
"""So long watching may take before its share of the time counts."""

_LAST = ("end", "crash")
"""Of these everybody is told who asks."""

_INHERITED = object()
"""Stands for an attribute that its owner has from elsewhere."""


class Event:
    """One thing that the program did; not to be kept.

    Args:
        kind: such as `backward`; a detector with a method `on_backward` gets it.
        subject: what did it: a module, an optimizer, a loader ...
        values: what belongs to the kind, by name, and is had as an attribute; see the hook point's file
            under `events/`.
        frame: where it was seen.
    """

    kind: str
    subject: Any
    values: dict[str, Any]
    _frame: FrameType

    def __init__(self, kind: str, subject: Any, values: dict[str, Any], frame: FrameType) -> None:
        self.__dict__.update(values, kind=kind, subject=subject, values=values, _frame=frame)

    @cached_property
    def place(self) -> Place | None:
        """The user's file and line, found out when it is asked for."""
        return place_of_frame(self._frame)

    @property
    def frame(self) -> FrameType | None:
        """The frame of the user's code."""
        return users_frame(self._frame)

    @property
    def direct(self) -> bool:
        """Whether the user's own code called what is told, and no library on its behalf."""
        caller = self._frame.f_back
        return caller is not None and is_users(caller.f_code.co_filename)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class Stream:
    """The events of one watched program: of the thread that trains, and of no other.

    Args:
        failed: is told of a handler that failed, by its owner and the error; the handler is not called again.
        names: learns what modules are called.
        budget: the share of the time that looking at steps in full may take.
        thorough: look at every step in full.
    """

    def __init__(
        self,
        failed: Callable[[Any, Exception], None],
        names: Names | None = None,
        *,
        budget: float = 0.02,
        thorough: bool = False,
    ) -> None:
        self.step = 0
        """How many optimizer steps were done, of all optimizers."""
        self.sampled = True
        """Whether this step is looked at in full; cheap facts are gathered at every step."""
        self.blind = False
        """Whether values must not be looked at: no step is looked at in full any more."""
        self.quiet = 0
        """Above 0 nothing is seen: inside of compiled code, and while the watcher itself is at work."""
        self.backwards = 0
        """Above 0 while a backward pass is going on."""
        self.spent = 0.0
        """Seconds that detectors took."""
        self.hidden: Callable[[], bool] = _never
        """Whether values are not what the program computes with: inside of `torch.func`, under a mode."""
        self.record: Callable[[bool], object] = bool
        """Switches on or off that gradients are recorded."""
        self.recording: Callable[[], bool] = _never
        """Whether they are."""
        self.optimizers: Identities = Identities()
        """Those that were made or stepped while being watched."""
        self.follow: Undo | None = None
        """Begins to tell what is computed from followed tensors (see `events/arithmetic.py`)."""
        self.followed: set[int] = set()
        """The identities of tensors that are followed."""
        self.repeating: Callable[[], bool] | None = None
        """Whether the first batch was repeated often enough; None where none is repeated."""
        self.waited = 0.0
        """Seconds that the program waited for batches of loaders."""
        self.names = names
        self.closed = False
        self.crowded = False
        """Whether watching ended because a second thread trained."""
        self.pausing: Pausing | None = None
        """Is told of each step and of the modules that the program calls."""
        self.paused = False
        """Whether those who allow that are not told of what each step does."""
        self.left_out: list[Callable[[int], None]] = []
        """Are told at the end of a pause of how many steps it was."""
        self.passing = False
        """Whether modules are not looked at: inside of one, where the step is not looked at in full."""
        self.calls = 0
        """Of modules by the program since the last step."""
        self.gap = 1
        """One in so many steps is looked at in full."""
        self._tables: dict[tuple[bool, bool], Table] = {
            (full, paused): {} for full in (True, False) for paused in (True, False)
        }
        """Who is told of what: in steps that are looked at in full or not, in a pause or not."""
        self._told = self._tables[True, False]
        """Who is now."""
        self._waiting: dict[str, list[Any]] = {}
        """By kind of event, who waits for it."""
        self._patches: list[Patch] = []
        self._taken: list[Patch] = []
        """Those that are away for now."""
        self._switches: list[tuple[Undo, Undo]] = []
        self._undo: list[Undo] = []
        self._failed = failed
        self._budget, self._thorough = budget, thorough
        self._began: float | None = None
        self._ended: float | None = None
        self._home: int | None = None
        self._lock = threading.RLock()
        self._away = 0
        self._next_leaving: int | None = None

    def subscribe(self, owner: Any) -> None:
        """Lets an object have the events that it has methods for, such as `on_backward`.

        A method that is marked `sampled` gets those of sampled steps only. With `AFTER`, some kinds of
        events, the object gets nothing but the end before one of these has come.
        """
        after = getattr(owner, "AFTER", ())
        for kind in after:
            self._waiting.setdefault(kind, []).append(owner)
        for name in _methods(owner):
            if not after or name[3:] in _LAST:
                self._add(owner, name)

    def _add(self, owner: Any, name: str) -> None:
        method = getattr(owner, name)
        only_full = getattr(method, "only_sampled", False)
        not_paused = name[3:] in getattr(owner, "PAUSES", ())
        for (full, paused), told in self._tables.items():
            if (full or not only_full) and not (paused and not_paused):
                told[name[3:]] = (*told.get(name[3:], ()), (owner, method))

    def attend(self, owner: Any) -> None:
        """Tells an object everything in pauses, too, from now on."""
        for full in (True, False):
            for kind in owner.PAUSES:
                if any(entry[0] is owner for entry in self._tables[full, True].get(kind, ())):
                    continue
                entries = [entry for entry in self._tables[full, False].get(kind, ()) if entry[0] is owner]
                self._tables[full, True][kind] = (*self._tables[full, True].get(kind, ()), *entries)

    def _wake(self, kind: str) -> None:
        """What some objects waited for has come."""
        for owner in self._waiting.pop(kind):
            for waiting in self._waiting.values():
                if owner in waiting:
                    waiting.remove(owner)
            for name in _methods(owner):
                if name[3:] not in _LAST:
                    self._add(owner, name)

    def wants(self, kind: str) -> bool:
        """Whether anybody asked for a kind of event, as it would come now."""
        return bool(self._told.get(kind)) or kind in self._waiting

    def emit(self, kind: str, subject: Any = None, **values: Any) -> None:
        """Tells everybody who asked.

        Args:
            kind: of the event.
            subject: what did it.
            **values: what belongs to the kind.
        """
        if self.quiet:
            return
        if kind in self._waiting:
            self._wake(kind)
        handlers = self._told.get(kind)
        if not handlers or (get_ident() != self._home and self.is_elsewhere()) or self.hidden():
            return
        began = perf_counter()
        if self._began is None:
            self._began = began
        # Outside of sampled steps nothing is computed.
        recording = self.sampled and self.recording()
        self.quiet += 1
        try:
            if recording:  # what detectors compute has no history
                self.record(False)
            event = Event(kind, subject, values, sys._getframe(1))
            for owner, handler in handlers:
                try:
                    handler(event)
                except Exception as error:  # the script goes on, whatever fails here
                    if is_of_signal(error):
                        raise
                    if not is_of_program(error):
                        self.drop(owner)
                        self._failed(owner, error)
        except Exception as error:
            self.fail(error)
        finally:
            self.quiet -= 1  # first, as a signal can come after any call
            if recording:
                self.record(True)
            self.spent += perf_counter() - began

    def drop(self, owner: Any, *kinds: str) -> None:
        """Tells an object nothing more, or nothing more of some kinds of events."""
        for told in self._tables.values():
            for kind in kinds or tuple(told):
                told[kind] = tuple(entry for entry in told.get(kind, ()) if entry[0] is not owner)
        if kinds:
            return
        for waiting in self._waiting.values():
            waiting[:] = [one for one in waiting if one is not owner]

    def fail(self, error: Exception, part: str = "the watcher") -> None:
        """A part of ours other than a detector failed: watching ends, and the program goes on."""
        if is_of_signal(error):
            raise error
        if not self.closed:
            self.close()
            self._failed(part, error)

    def overlook(self, error: Exception) -> None:
        """A hook point could not look at what the program gave to PyTorch: it is passed over."""
        if is_of_signal(error):
            raise error

    def know(self, module: Any) -> None:
        """Remembers what a module is called where it is used."""
        if self.names is None or self.names.is_root(module) or self.is_elsewhere():
            return
        try:
            self.names.know(module, calling_frame())
        except Exception as error:
            self.fail(error)

    def advance(self, optimizer: Any = None) -> None:
        """An optimizer made a step: the next is looked at in full, or not."""
        if self.is_elsewhere():  # what two threads do at once cannot be told apart
            self.crowded = not self.closed
            self.close()
            return
        self._home = get_ident()
        self.step += 1
        self.calls = 0
        self.gap = _GAPS[min((self.step // _EVERY_STEP).bit_length(), len(_GAPS) - 1)]
        due = self.step % self.gap == 0
        self.look(not self.blind and (self._thorough or (due and not self._is_over_budget())))
        if self._next_leaving is not None and self.step >= self._next_leaving:
            self._retire()
        if self.pausing is not None:
            try:
                self.pausing.stepped(optimizer)
            except Exception as error:
                self.fail(error)

    def look(self, full: bool) -> None:
        """Looks at what comes in full, or not."""
        self.sampled = full
        if full:
            self.passing = False
        self._told = self._tables[full, self.paused]

    def pause(self, paused: bool) -> None:
        """Begins a pause, or ends it."""
        self.paused = paused
        self._told = self._tables[self.sampled, paused]

    def called(self, module: Any, recording: bool) -> None:
        """The program calls a module: where no optimizer steps for long, few calls are looked at in full."""
        if self.pausing is not None:
            if get_ident() != self._home and self.is_elsewhere():
                return
            try:
                self.pausing.called(module, self.calls, recording)
            except Exception as error:
                self.fail(error)
        self.calls += 1
        if self.calls > _CALLS and not (self._thorough or self.blind or self.is_elsewhere()):
            self.look(self.calls % _OF_CALLS == 0 and not self._is_over_budget())

    def elapsed(self) -> float:
        """Seconds since the first event, up to the end."""
        return 0.0 if self._began is None else (self._ended or perf_counter()) - self._began

    def _is_over_budget(self) -> bool:
        return self.spent > _FREE_SECONDS and self.spent > self._budget * self.elapsed()

    def is_elsewhere(self) -> bool:
        """Whether this is another thread of the program than the one that trains.

        Threads of autograd, which Python does not know, work for the one that trains.
        """
        here = get_ident()
        if self._home is None or here == self._home:
            return False
        known = {thread.ident for thread in threading.enumerate()}
        if self._home not in known:
            self._home = None  # it has ended, and another one may train
            return False
        return here in known

    def replace(
        self, owner: Any, name: str, value: Any, *, until: int | None = None, always: bool = False
    ) -> None:
        """Puts a value in the place of an attribute until the end; compiled code sees the one before.

        Args:
            owner: a class or module.
            name: the attribute.
            value: what is put there.
            until: the step from which on it is not needed.
            always: leave it there while compiled code is prepared and runs.
        """
        before = inspect.getattr_static(owner, name) if name in vars(owner) else _INHERITED
        value = standing(owner, name, before, value)
        if isinstance(value, FunctionType) and isinstance(owner, ModuleType):
            until = None  # a model may have it, and is pickled only while it is found in its place
        if always:
            self.at_end(partial(self._put, [(owner, name, before, value, None)], 2))
            setattr(owner, name, value)
            return
        self._patches.append((owner, name, before, value, until))
        if until is not None and (self._next_leaving is None or until < self._next_leaving):
            self._next_leaving = until
        setattr(owner, name, value)

    def _retire(self) -> None:
        """Takes away what is not needed any more, unless something else was put upon it."""
        leaving = [patch for patch in self._patches if patch[4] is not None and patch[4] <= self.step]
        leaving = self._put(reversed(leaving), 2)
        left = set(map(id, leaving))
        self._patches = [patch for patch in self._patches if id(patch) not in left]
        waiting = [patch[4] for patch in self._patches if patch[4] is not None and patch[4] > self.step]
        self._next_leaving = min(waiting, default=None)

    def switch(self, off: Undo, on: Undo) -> None:
        """Switches something on that is off while compiled code is prepared and runs, and after the end."""
        self._switches.append((off, on))
        on()

    def codes_of_switches(self) -> list[CodeType]:
        """The code of what switches things on."""
        return [on.__code__ for _, on in self._switches]

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
        """Takes every replacement away, but for what something else was put upon; `resume` must follow."""
        with self._lock:
            self.quiet += 1
            self._away += 1
            if self._away == 1:
                self._taken = self._put(reversed(self._patches), 2)
                for off, _ in self._switches:
                    off()

    def resume(self) -> None:
        """Brings the replacements back."""
        with self._lock:
            self.quiet -= 1
            self._away -= 1
            if self._away == 0:
                self._put(reversed(self._taken), 3)
                self._taken = []
                for _, on in self._switches:
                    on()

    def close(self) -> None:
        """Ends watching: everything is as it was, and what the program itself replaced is left to it."""
        self.closed = True
        self._ended = self._ended or perf_counter()
        if not self._away:
            self._put(reversed(self._patches), 2)
            self._undo += [off for off, _ in self._switches]
        self._patches.clear()
        self._taken = []
        self._switches.clear()
        for undo in reversed(self._undo):
            with contextlib.suppress(Exception):
                undo()
        self._undo.clear()
        self._waiting.clear()
        for told in self._tables.values():
            told.clear()

    @staticmethod
    def _put(patches: Iterable[Patch], which: int) -> list[Patch]:
        """Puts what was before, 2, in the place of the replacement, 3, or the other way round.

        Returns those that were put: where something else stands, that is left.
        """
        done = []
        for patch in patches:
            owner, name = patch[:2]
            if vars(owner).get(name, _INHERITED) is not patch[5 - which]:
                continue
            if patch[which] is not _INHERITED:
                setattr(owner, name, patch[which])
            else:
                delattr(owner, name)
            done.append(patch)
        return done


def _methods(owner: Any) -> list[str]:
    """Those that are called with events."""
    return [name for name in dir(owner) if name.startswith("on_")]


def _never() -> bool:
    return False
