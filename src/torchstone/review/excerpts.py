"""The lines that findings point at, read again when they are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from torchstone.review.reading import UnreadableError, read

_LINE_END = re.compile(r"\r\n|\r|\n")


class Excerpts:
    """Lines of files by place.

    Args:
        texts: texts that are not (or no longer) what is on disk, by file.
    """

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self._texts = dict(texts or {})
        self._lines: dict[tuple[str, int | None], list[str]] = {}

    def line(self, file: str | None, cell: int | None, number: int | None) -> str | None:
        """A line without its end, None where there is no such line."""
        if file is None or number is None:
            return None
        lines = self.lines(file, cell)
        return lines[number - 1] if 0 < number <= len(lines) else None

    def lines(self, file: str, cell: int | None = None) -> list[str]:
        """All lines of a file, or of a notebook's cell; none when it cannot be read."""
        if (file, cell) not in self._lines:
            text = self._text(file)
            if cell is not None:
                text = cell_texts(text).get(cell, "")
            self._lines[file, cell] = _LINE_END.split(text) if text else []
        return self._lines[file, cell]

    def _text(self, file: str) -> str:
        if file not in self._texts:
            try:
                self._texts[file] = read(file).text
            except UnreadableError:
                self._texts[file] = ""
        return self._texts[file]


def cell_texts(notebook: str) -> dict[int, str]:
    """The text of each cell of a notebook, by its number from 1."""
    try:
        document = json.loads(notebook)
        cells = document["cells"] if "cells" in document else document["worksheets"][0]["cells"]
        sources = [cell.get("source", cell.get("input", "")) for cell in cells]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return {}
    return {
        number: "".join(source) if isinstance(source, list) else str(source)
        for number, source in enumerate(sources, start=1)
    }
