"""Where in the user's own files the program is."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from types import FrameType
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


@lru_cache(maxsize=4096)
def is_users(file: str) -> bool:
    """Whether a file is the user's, and none of a library."""
    return file.startswith("<ipython") or not file.startswith(("<", *_LIBRARIES))


def place_of_frame(frame: FrameType | None) -> Place | None:
    """The nearest line of the user's at or above a frame; None where there is none."""
    found = users_frame(frame)
    return None if found is None else Place(found.f_code.co_filename, found.f_lineno)


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


def unseen(function: Any) -> Any:
    """The function, which Python passes over when it looks for the line that a warning of torch is about.

    It does so for the machinery of imports, which it knows by the name of the file.
    """
    function.__code__ = function.__code__.replace(co_filename=UNSEEN)
    return function
