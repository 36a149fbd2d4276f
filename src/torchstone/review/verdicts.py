"""Lines that a run found right, though their source looks wrong."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchstone.review.places import Place

Line = tuple[str, str, int]
"""A code, a file by its full path, and a line of it."""

_MOST = 4096
"""So many lines are kept in mind."""


class Verdicts:
    """What detectors that looked at a line think of it: right each time, or wrong or doubtful once."""

    def __init__(self) -> None:
        self._right: Counter[tuple[str, Place]] = Counter()
        self._needed: dict[tuple[str, Place], int] = {}
        self._doubtful: set[tuple[str, Place]] = set()

    def right(self, code: str, place: Place | None, needed: int) -> None:
        """A line was executed and is right.

        Args:
            code: of the mistake that it does not have.
            place: the line.
            needed: so often this has to be seen.
        """
        if place is not None and len(self._right) < _MOST:
            self._right[code, place] += 1
            self._needed[code, place] = needed

    def doubt(self, code: str, place: Place | None) -> None:
        """A line was executed and may be wrong: what its source says of it stands."""
        if place is not None and len(self._doubtful) < _MOST:
            self._doubtful.add((code, place))

    def disproved(self, broken: set[str]) -> frozenset[Line]:
        """The lines of which a finding in the source is withdrawn.

        Args:
            broken: the codes of detectors that failed.
        """
        if len(self._doubtful) >= _MOST:
            return frozenset()
        return frozenset(
            (code, os.path.abspath(place.file), place.line)
            for (code, place), count in self._right.items()
            if count >= self._needed[code, place]
            and (code, place) not in self._doubtful
            and code not in broken
        )
