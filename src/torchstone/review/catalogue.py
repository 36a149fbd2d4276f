"""The catalogue of mistakes, found by walking `mistakes/`: a new file there is a new mistake."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Container
from functools import cache

from torchstone.review.index import entries
from torchstone.review.mistake import Check, Mistake, read_mistake
from torchstone.review.selection import Entry


@cache
def load_catalogue() -> tuple[Mistake, ...]:
    """All mistakes, sorted by code."""
    return tuple(_load(entry.module) for entry in entries() if entry.module)


def checks_for(text: str, codes: Container[str], stands_alone: Callable[[], bool]) -> list[Check]:
    """The rules that may find something in a text; those about what it does not mention stay unimported.

    Args:
        text: the file.
        codes: the codes that are looked for.
        stands_alone: whether the file is all of its program; asked only where that spares an import.
    """
    found = []
    for entry in entries():
        if entry.module and entry.is_read and entry.code in codes and concerns(entry, text, stands_alone):
            check = getattr(importlib.import_module(entry.module), "check", None)
            found += [check] if check is not None else []
    return found


def concerns(entry: Entry, text: str, stands_alone: Callable[[], bool]) -> bool:
    """Whether a file mentions what a mistake is about, or may use another file that does."""
    if not _mentions(text, entry.mentions):
        return False
    return _mentions(text, entry.involves) or entry.module in sys.modules or not stands_alone()


def _mentions(text: str, words: tuple[str, ...]) -> bool:
    return all(any(word in text for word in alternatives.split("|")) for alternatives in words)


def find_mistake(code_or_name: str) -> Mistake | None:
    """The mistake with this code or name, None when there is none."""
    wanted = code_or_name.strip().lower().replace("_", "-")
    modules = (e.module for e in entries() if e.module and wanted in (e.code.lower(), e.name))
    return next(map(_load, modules), None)


@cache
def _load(module: str) -> Mistake:
    return read_mistake(importlib.import_module(module))
