"""How a training table was read: what is needed to read new data the same way, as JSON values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from torchstone.data.columns import unknown_column
from torchstone.data.conversion import clean, convert, is_infinite
from torchstone.errors import DataError

_ROWS_SHOWN = 5


@dataclass(frozen=True)
class Reading:
    """How the columns of a training table were read; stored with a run, used by `read_batches`.

    Args:
        columns: all columns of the table in order, targets and split column included.
        targets: the target columns.
        kinds: the kind of each feature column, in order (see `columns.KINDS`).
        forms: the format of dates or the decimal comma, for the columns that have one.
        missing: what means "missing" in the features besides the usual marks.
        column_missing: further marks of single columns.
        header: whether the first line names the columns.
        separator, encoding: how the text table was written; None for other sources. New files are looked at
            anew, these are tried first.
    """

    columns: tuple[str, ...]
    targets: tuple[str, ...]
    kinds: dict[str, str]
    forms: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    column_missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    header: bool = True
    separator: str | None = None
    encoding: str | None = None

    def missing_of(self, column: str) -> tuple[str, ...]:
        """All that means "missing" in a column besides the usual marks."""
        return (*self.missing, *self.column_missing.get(column, ()))

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the feature columns in order, those left out of the inputs included."""
        return tuple(self.kinds)

    def typed(self, frame: pl.DataFrame, place: Callable[[int], str]) -> tuple[pl.DataFrame, list[str]]:
        """The feature columns of a raw frame with the types of their kinds, and what must be said.

        Args:
            frame: raw columns; more than the features are ignored. Columns that are left out of the inputs
                may be missing.
            place: says where a row was read.

        Raises:
            DataError: columns are not there, or values do not fit the kind of their column (rows are named).
        """
        columns, notes = [], []
        needed = [
            name
            for name, kind in self.kinds.items()
            if kind in ("numeric", "categorical", "boolean", "datetime")
        ]
        absent = [name for name in needed if name not in frame.columns]
        if len(absent) == 1:
            raise unknown_column(absent[0], frame.columns, "A column of the training data is missing")
        if absent:
            names = ", ".join(f'"{name}"' for name in absent)
            shown = ", ".join(frame.columns[:12]) + (", ..." if frame.width > 12 else "")
            raise DataError(
                f"Columns of the training data are missing: there are no columns {names}.",
                hint=f"The columns are {shown}.",
            )
        for name, kind in self.kinds.items():
            if name not in frame.columns:
                continue
            missing = self.missing_of(name)
            cleaned = clean(frame[name], missing)
            column, unread = convert(cleaned, kind, self.forms.get(name), missing)
            if unread.any():
                raise _mixed(cleaned, unread, kind, place)
            if kind == "numeric" and (count := int(is_infinite(cleaned).sum())):
                notes.append(f'Column "{name}": {count} infinite values taken as missing.')
            columns.append(column.alias(name))
        return pl.DataFrame(columns), notes

    def to_json(self) -> dict[str, Any]:
        """The reading as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Reading:
        """The inverse of `to_json`."""
        return cls(
            **{
                **values,
                "columns": tuple(values["columns"]),
                "targets": tuple(values["targets"]),
                "missing": tuple(values["missing"]),
                "column_missing": {name: tuple(marks) for name, marks in values["column_missing"].items()},
            }
        )


def _mixed(column: pl.Series, unread: pl.Series, kind: str, place: Callable[[int], str]) -> DataError:
    """The error for values that do not fit their column."""
    indices = np.flatnonzero(unread.to_numpy())
    words = {"numeric": "numbers", "boolean": "yes or no", "datetime": "dates"}[kind]
    shown = [f'{place(int(index))} "{column[int(index)]}"' for index in indices[:_ROWS_SHOWN]]
    more = f" and {len(indices) - _ROWS_SHOWN} more" if len(indices) > _ROWS_SHOWN else ""
    example = column[int(indices[0])]
    return DataError(
        f'Column "{column.name}" holds {words}, but not in {len(indices)} of {len(column)} rows: '
        f"{', '.join(shown)}{more}.",
        hint=f'Mend these values. For training, --missing "{example}" takes them for missing, and '
        f"--columns {column.name}=categorical takes all values for categories.",
    )
