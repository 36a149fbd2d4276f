"""Cells of a notebook replaced in its JSON; every byte outside of them stays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True)
class _Value:
    """Where a JSON value stands in the text."""

    start: int
    end: int


def replace_cells(notebook: str, cells: Mapping[int, str]) -> str | None:
    """The notebook with other code in some cells.

    Args:
        notebook: its JSON.
        cells: the new code by the number of the cell, from 1.

    Returns:
        The JSON, written as it was around the cells; None where a cell is not found.
    """
    try:
        sources = dict(enumerate(_sources(notebook), start=1))
    except (ValueError, IndexError, RecursionError):
        return None
    for number in sorted(cells, reverse=True):
        value = sources.get(number)
        if value is None:
            return None
        code = _written(cells[number], notebook[value.start : value.end], _is_escaped(notebook))
        notebook = notebook[: value.start] + code + notebook[value.end :]
    return notebook


def _sources(text: str) -> Iterator[_Value | None]:
    """The place of each cell's code, in order."""
    top = _members(text, _skip(text, 0))
    cells = next((place for key, place in top if key == "cells"), None)
    if cells is None:
        raise ValueError("no list of cells")
    for cell in _elements(text, cells.start):
        yield next((place for key, place in _members(text, cell.start) if key == "source"), None)


def _members(text: str, start: int) -> Iterator[tuple[str, _Value]]:
    """The keys of the object that begins at a place, with the places of their values."""
    if text[start] != "{":
        raise ValueError("no object")
    place = _skip(text, start + 1)
    while text[place] != "}":
        key, place = _DECODER.raw_decode(text, place)
        place = _skip(text, _skip(text, place) + 1)  # the colon
        _, end = _DECODER.raw_decode(text, place)
        yield str(key), _Value(place, end)
        place = _after_comma(text, end)


def _elements(text: str, start: int) -> Iterator[_Value]:
    """The places of the values of the array that begins at a place."""
    if text[start] != "[":
        raise ValueError("no array")
    place = _skip(text, start + 1)
    while text[place] != "]":
        _, end = _DECODER.raw_decode(text, place)
        yield _Value(place, end)
        place = _after_comma(text, end)


def _after_comma(text: str, place: int) -> int:
    place = _skip(text, place)
    return _skip(text, place + 1) if text[place] == "," else place


def _skip(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _is_escaped(notebook: str) -> bool:
    """Whether the notebook was written with escapes for what is not ASCII."""
    return notebook.isascii() and "\\u" in notebook


def _written(code: str, old: str, escaped: bool) -> str:
    """Code as JSON in the manner of the value that it replaces: one string, or a list of lines."""
    if not old.startswith("["):
        return json.dumps(code, ensure_ascii=escaped)
    lines = [json.dumps(line, ensure_ascii=escaped) for line in code.splitlines(keepends=True)]
    if not lines:
        return "[]"
    lead, tail = re.match(r"\[(\s*)", old), re.search(r"(\s*)\]$", old)
    before, after = lead[1] if lead else "", tail[1] if tail else ""
    separator = f",{before}" if "\n" in before else ", "
    return f"[{before}{separator.join(lines)}{after}]"
