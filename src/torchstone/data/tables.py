"""What every reader of tables gives, before columns are recognised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from torchstone.errors import DataError


@dataclass(frozen=True)
class TextOptions:
    """What is known about a text table before it is read; None is found out from the file."""

    separator: str | None = None
    encoding: str | None = None
    header: bool | None = None


@dataclass(frozen=True)
class RawTable:
    """A table as its file has it.

    Attributes:
        name: the file's name, for messages.
        frame: the columns: all text for text tables, typed for the others.
        lines: int64 (N,): the number of each row as the user sees it, from 1 on: the line of a text file,
            the row of any other.
        header: the columns have names of their own (False: column_1 to column_n).
        separator: of a text table.
        encoding: of a text table.
        notes: what was found out and should be said.
    """

    name: str
    frame: pl.DataFrame
    lines: np.ndarray
    header: bool = True
    separator: str | None = None
    encoding: str | None = None
    notes: list[str] = field(default_factory=list)


def check_names(names: Sequence[str], place: str) -> None:
    """Raises DataError when two columns have one name."""
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if name in seen:
            raise DataError(
                f"{place}: columns {seen[name]} and {position} have the same name {name!r}",
                hint="give every column a name of its own in the first line",
            )
        seen[name] = position


def check_not_empty(table: RawTable) -> RawTable:
    """The table, or DataError when it has no row or no column."""
    if table.frame.width == 0:
        raise DataError(
            f"{table.name} has no columns",
            hint="give a table with at least two columns",
        )
    if table.frame.height == 0:
        raise DataError(
            f"{table.name} has column names but no rows",
            hint="one line below the header is one row; without a header pass --no-header",
        )
    return table
