"""What every reader of tables gives, before columns are recognised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from torchstone.data.dialect import Dialect
from torchstone.errors import DataError


@dataclass(frozen=True)
class TextOptions:
    """What is known about a text table before it is read; None is found out from the file."""

    separator: str | None = None
    encoding: str | None = None
    header: bool | None = None


@dataclass
class RawTable:
    """A table as its file has it.

    Attributes:
        name: the file's name, for messages.
        frame: the columns: all text for text tables, typed for the others.
        lines: int64 (N,): the number of each row as the user sees it, from 1 on: the line of a text file,
            the row of any other.
        dialect: how a text table is written, None for others.
        notes: what was found out and must be said, one sentence each.
    """

    name: str
    frame: pl.DataFrame
    lines: np.ndarray
    dialect: Dialect | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def header(self) -> bool:
        """Whether the columns have names of their own (False: column_1 to column_n)."""
        return self.dialect is None or self.dialect.header


def check_names(names: Sequence[str], place: str) -> None:
    """Raises DataError when two columns have one name, or one has the name of a pattern."""
    _check_spelling(names, place)
    seen: dict[str, int] = {}
    for position, name in enumerate(names, 1):
        if name in seen:
            raise DataError(
                f'{place}: columns {seen[name]} and {position} have the same name "{name}".',
                hint="Give every column a name of its own in the first line.",
            )
        seen[name] = position


def check_not_empty(table: RawTable) -> RawTable:
    """The table, or DataError when it has no row or no column."""
    if table.frame.width == 0:
        raise DataError(
            f"{table.name} has no columns.",
            hint="Give a table with at least two columns.",
        )
    if table.frame.height == 0:
        raise DataError(
            f"{table.name} has column names but no rows.",
            hint="One line below the header is one row; without a header pass --no-header.",
        )
    return table


def _check_spelling(names: Iterable[str], place: str) -> None:
    """Refuses names that polars takes for patterns of names."""
    for name in names:
        if name.startswith("^") and name.endswith("$"):
            raise DataError(
                f'{place}: a column is called "{name}"; names from ^ to $ stand for patterns of names.',
                hint="Give the column another name.",
            )


def check_flat(frame: pl.DataFrame, place: str) -> pl.DataFrame:
    """The frame, or DataError when a column holds lists, structures or objects, or has a pattern's name."""
    _check_spelling(frame.columns, place)
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.List | pl.Array | pl.Struct | pl.Object):
            raise DataError(
                f'{place}: column "{name}" holds {dtype}, not one value a row.',
                hint="Make columns of single values from it, or leave it out.",
            )
    return frame
