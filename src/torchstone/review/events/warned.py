"""Warnings that torch raises from C++ while a replacement of ours calls it: they are about the user's line.

Nothing is emitted. Such a warning names the nearest Python code, which is then a file of this folder; it is
raised once more for the line that it would have named, with the filters that hold there.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from torchstone.review.places import UNSEEN, users_frame
from torchstone.review.stream import Stream

_OURS = (os.path.join(os.path.dirname(os.path.abspath(__file__)), ""), UNSEEN)


def install(stream: Stream) -> None:
    """Replaces `warnings.showwarning`, unless the program has done so itself."""
    original: Any = warnings.showwarning

    def showwarning(
        message: Any, category: Any, filename: str, lineno: int, *args: Any, **kwargs: Any
    ) -> None:
        frame = users_frame(sys._getframe(1)) if filename.startswith(_OURS) else None
        if frame is None:
            original(message, category, filename, lineno, *args, **kwargs)
            return
        _forget(filename)
        told = frame.f_globals
        warnings.warn_explicit(
            message,
            category,
            frame.f_code.co_filename,
            frame.f_lineno,
            module=told.get("__name__"),
            registry=told.setdefault("__warningregistry__", {}),
        )

    stream.replace(warnings, "showwarning", showwarning, always=True)


def _forget(filename: str) -> None:
    """Lets the same warning come again from our file: whether it was told is known for the user's line."""
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == filename:
            vars(module).pop("__warningregistry__", None)
