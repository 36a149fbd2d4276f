"""Where in the user's own files the program is."""

from __future__ import annotations

import inspect
import itertools
import linecache
import os
import sys
import sysconfig
from functools import cache, lru_cache
from types import CodeType, FrameType
from typing import Any, NamedTuple

_LIBRARIES = tuple(
    os.path.join(path, "")
    for path in {
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        os.path.dirname(os.__file__),
        sysconfig.get_path("scripts"),
    }
)


UNSEEN = "<torchstone importlib._bootstrap>"
"""The file of functions between the user's and torch's that Python is to pass over; see `unseen`."""


class Place(NamedTuple):
    """A line of a file of the user's."""

    file: str
    line: int


class Spot(Place):
    """A line where an instruction is known that is executed; the same as any place of that line.

    Args:
        file, line: the place.
        code: what is executed.
        instruction: which one, as frames and tracebacks count them.
    """

    code: CodeType
    instruction: int

    def __new__(cls, file: str, line: int, code: CodeType, instruction: int) -> Spot:
        """A place with its instruction."""
        spot: Spot = tuple.__new__(cls, (file, line))
        spot.code, spot.instruction = code, instruction
        return spot


def spot_of(frame: FrameType, line: int | None = None) -> Spot:
    """Where a frame is, or was when an error left it at a line."""
    code = frame.f_code
    return Spot(code.co_filename, frame.f_lineno if line is None else line, code, frame.f_lasti)


class Extent(NamedTuple):
    """Where in its lines something stands, counted from 1; its end is None where it is not known."""

    column: int
    end_line: int | None = None
    end_column: int | None = None


def extent_of(place: Place) -> Extent:
    """Where an instruction stands in its line; where that is not known, where the line's text begins."""
    text = linecache.getline(place.file, place.line)
    if isinstance(place, Spot):
        positions = place.code.co_positions()
        line, end_line, start, end = next(
            itertools.islice(positions, place.instruction // 2, None), (None, None, None, None)
        )
        if line == place.line and end_line is not None and start is not None and end is not None:
            last = linecache.getline(place.file, end_line)
            return Extent(_signs(text, start) + 1, end_line, _signs(last, end) + 1)
    return Extent(len(text) - len(text.lstrip()) + 1 if text.strip() else 1)


def _signs(text: str, offset: int) -> int:
    """How many signs so many bytes of a line are."""
    return offset if text.isascii() else len(text.encode()[:offset].decode(errors="ignore"))


@lru_cache(maxsize=4096)
def is_users(file: str) -> bool:
    """Whether a file is the user's, and none of a library."""
    return file.startswith("<ipython") or not file.startswith(("<", *_LIBRARIES))


def place_of_frame(frame: FrameType | None) -> Place | None:
    """The nearest line of the user's at or above a frame; None where there is none."""
    found = users_frame(frame)
    return None if found is None else spot_of(found)


def users_frame(frame: FrameType | None) -> FrameType | None:
    """The nearest frame of the user's code at or above a frame."""
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def shown(file: str) -> str:
    """A file as a person would write it: from the current folder, where it lies below."""
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        return file
    return file if relative.startswith("..") else relative


def calling_frame(depth: int = 1) -> FrameType | None:
    """The user's frame above the caller's."""
    return users_frame(sys._getframe(depth + 1))


def locals_of(frame: FrameType) -> dict[str, Any]:
    """A copy of the variables of a frame; looking at them leaves no trace.

    Up to Python 3.12, `frame.f_locals` of a function is one dictionary, which is brought up to date when it
    is read: the program may have it from `locals()`, and it keeps alive what it holds.
    """
    if sys.version_info >= (3, 13) or not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return dict(frame.f_locals)
    earlier = _earlier_locals(frame)
    before = None if earlier is None else dict(earlier)
    held = frame.f_locals
    found = dict(held)
    if earlier is held and before is not None:
        held.clear()
        held.update(before)
    elif _offset() is not None or sys.getrefcount(held) <= _UNHELD:
        held.clear()
    return found


_UNHELD = 3
"""The references to that dictionary where the program has none: of the frame, here, and while counting."""


def _earlier_locals(frame: FrameType) -> dict[str, Any] | None:
    """The dictionary of a frame's variables as it is before it is brought up to date; None for none yet."""
    import ctypes  # not needed to read source, which has to start fast

    offset = _offset()
    address = None if offset is None else _address(frame, offset)
    return None if address is None else ctypes.cast(address, ctypes.py_object).value


@cache
def _offset() -> int | None:
    """Where CPython keeps that dictionary, among what it knows of a call; None where that is not sure."""
    numbers = {(3, 11): 3, (3, 12): 5}
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in numbers:
        return None
    if hasattr(sys, "gettotalrefcount"):  # there objects have other heads
        return None
    here = locals()
    offset = numbers[sys.version_info[:2]]
    return offset if _address(sys._getframe(), offset) == id(here) else None


def _address(frame: FrameType, offset: int) -> int | None:
    import ctypes

    # After its head and the frame below it, a frame points to what is known of the call.
    word = ctypes.sizeof(ctypes.c_void_p)
    call = ctypes.c_void_p.from_address(id(frame) + 3 * word).value
    return None if call is None else ctypes.c_void_p.from_address(call + offset * word).value


def unseen(function: Any) -> Any:
    """The function, which Python passes over when it looks for the line that a warning of torch is about.

    It does so for the machinery of imports, which it knows by the name of the file.
    """
    function.__code__ = function.__code__.replace(co_filename=UNSEEN)
    return function
