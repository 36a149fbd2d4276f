"""Where modules were made and parts put into them, and when: kept for all detectors at once."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.review.objects import ByIdentity, Identities, is_module
from torchstone.review.places import Place, is_users, locals_of, place_of_frame

if TYPE_CHECKING:
    from types import FrameType

    from torchstone.review.stream import Event

_MOST = 20_000
"""So many parts are remembered; what is put in afterwards is not."""

_CALLERS = 3


@dataclass
class Made:
    """A module that was made.

    Args:
        places: the line that made it, and those that called for it.
        time: when its first part was put in, in `Parts.now`.
    """

    places: list[Place]
    time: int = 0


@dataclass
class Part:
    """A module or parameter that was put into a module.

    Args:
        time: when, in `Parts.now`.
        places: the line that put it there, and those that called for it.
        replaced: the identities of the parameters that it took the place of.
    """

    time: int
    places: list[Place]
    replaced: frozenset[int]


class Parts:
    """What is known of modules and optimizers from how they were made."""

    def __init__(self) -> None:
        self.now = 0
        """Counts what is made."""
        self.made: ByIdentity[Made] = ByIdentity()
        self.optimizers: ByIdentity[tuple[int, Place | None]] = ByIdentity()
        """When and where each was made."""
        self._loaded: Identities = Identities()
        self._parts: ByIdentity[Part] = ByIdentity()

    def on_optimizer_made(self, event: Event) -> None:
        """From now on it does not learn of new parts."""
        self.now += 1
        self.optimizers[event.subject] = (self.now, event.place)

    def on_registered(self, event: Event) -> None:
        """A part is put into a module."""
        self.now += 1
        owner, part = event.subject, event.part
        if owner not in self.made and len(self.made) < _MOST:
            self.made[owner] = Made(_places(_outside(event.frame, owner)), self.now)
        if part is None or len(self._parts) >= _MOST:
            return
        # Nobody asks for the lines of what was put in before there was an optimizer.
        places = _places(event.frame) if self.optimizers else []
        replaced = frozenset(_identities(event.before)) if self.optimizers else frozenset()
        self._parts[part] = Part(self.now, places, replaced)

    def on_state_loaded(self, event: Event) -> None:
        """A module gets the values of another."""
        self._loaded.add(event.subject)

    def of(self, part: Any) -> Part | None:
        """What is known of a part."""
        return self._parts.get(part)

    def way(self, root: Any, path: str) -> list[tuple[str, Part]]:
        """What is known of the parts on the way from a module to one of its parameters, with their paths."""
        found, names, node = [], path.split("."), root
        for count, name in enumerate(names, start=1):
            node = node._modules.get(name, node._parameters.get(name))
            known = self.of(node)
            if known is not None:
                found.append((".".join(names[:count]), known))
            if not is_module(node):
                break
        return found

    def loaded(self, module: Any) -> bool:
        """Whether a module, or one in it, was given values from elsewhere."""
        return any(part in self._loaded for part in module.modules())

    def homemade(self, module: Any) -> bool:
        """Whether a module was made here of classes of the user's and of torch, its values fresh."""
        return not self.loaded(module) and all(
            part in self.made and _plain(type(part)) for part in module.modules() if part._parameters
        )


def _identities(part: Any) -> list[int]:
    if is_module(part):
        return [id(parameter) for parameter in part.parameters()]
    return [] if part is None else [id(part)]


def _plain(cls: type) -> bool:
    if cls.__module__.startswith("torch."):
        return True
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return file is None or is_users(file)


def _outside(frame: FrameType | None, module: Any) -> FrameType | None:
    """The frame that asked for a module that is being made in a frame."""
    while frame is not None and locals_of(frame).get("self") is module:
        frame = frame.f_back
    return frame


def _places(frame: FrameType | None) -> list[Place]:
    """The lines of the user's at and above a frame."""
    found: list[Place] = []
    for _ in range(_CALLERS * 2):
        place = place_of_frame(frame)
        if frame is None or place is None or len(found) >= _CALLERS:
            break
        if is_users(frame.f_code.co_filename):
            found.append(place)
            if frame.f_code.co_name == "<module>":
                break
        frame = frame.f_back
    return list(dict.fromkeys(found))
