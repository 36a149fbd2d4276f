"""The preprocessing of a table: which columns are inputs, and how each becomes numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from torchstone.data.categorical_encoder import CategoricalColumn
from torchstone.data.numeric_encoders import BooleanColumn, DatetimeColumn, NumericColumn
from torchstone.data.rows import TableRows
from torchstone.errors import DataError, did_you_mean
from torchstone.task import InputSpec

if TYPE_CHECKING:
    from torchstone.data.samples import Samples

Spread = NumericColumn | BooleanColumn | DatetimeColumn
"""A column that becomes numeric inputs."""

_CLASSES: dict[str, type[Spread] | type[CategoricalColumn]] = {
    column.kind: column for column in (NumericColumn, BooleanColumn, DatetimeColumn, CategoricalColumn)
}

_REASONS = {
    "text": "free text, left out for now",
    "identifier": "identifier",
    "constant": "constant",
    "drop": "dropped",
}


class TablePreprocessing:
    """The preprocessing of a table, fitted on training rows only.

    The row that a model sees is `[numeric inputs | indicators of missing values | one-hot blocks]`, columns
    in the table's order within each.

    Args:
        columns: the fitted columns.
        columns_left_out: for each column that is no input the reason.
        is_array: whether the rows come as an array `(N, F)` whose columns are called `column_1` and so on.
    """

    kind = "table"

    def __init__(
        self,
        columns: list[Spread | CategoricalColumn],
        columns_left_out: dict[str, str],
        *,
        is_array: bool = False,
    ) -> None:
        self.columns = columns
        self.columns_left_out = columns_left_out
        self.is_array = is_array
        self._spread = [column for column in columns if not isinstance(column, CategoricalColumn)]
        self._blocks = [column for column in columns if isinstance(column, CategoricalColumn)]

    @classmethod
    def fit(
        cls,
        samples: Samples,
        train_indices: np.ndarray,
        *,
        left_out: Mapping[str, str] | None = None,
        time: str | None = None,
    ) -> TablePreprocessing:
        """Fit on the training rows.

        Args:
            samples: all samples; a table or an array `(N, F)`.
            train_indices: the only rows that are looked at.
            left_out: columns that are no inputs, with reasons.
            time: the column that rows were cut by.

        Raises:
            DataError: no column is left to learn from.
        """
        train = as_frame(samples.features)[train_indices]
        reasons: dict[str, str] = {}
        columns: list[Spread | CategoricalColumn] = []
        for name in train.columns:
            kind = samples.kinds.get(name) or _kind_of(train[name])
            fitted = _fit_column(train[name], kind, (left_out or {}).get(name), name == time)
            if isinstance(fitted, str):
                reasons[name] = fitted
            else:
                columns.append(fitted)
        if not columns:
            listed = "; ".join(f"{name}: {reason}" for name, reason in list(reasons.items())[:10])
            raise DataError(
                f"{samples.name} has no column to learn from ({listed or 'only the target'}).",
                hint="--columns name=kind says what a column is, where the guess is wrong.",
            )
        return cls(columns, reasons, is_array=not samples.is_table)

    @cached_property
    def columns_used(self) -> list[str]:
        """The names of the columns that are inputs, in the table's order."""
        return [column.name for column in self.columns]

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The kind of each column that is an input; a file for prediction is read with these."""
        return {column.name: column.kind for column in self.columns}

    @cached_property
    def input_names(self) -> list[str]:
        """A name for each number that the model sees, such as `age`, `age is missing`, `sex = male`."""
        numeric = [name for column in self._spread for name in column.numeric_names]
        indicators = [f"{column.name} is missing" for column in self._spread if column.missing]
        blocks = [name for column in self._blocks for name in column.input_names]
        return numeric + indicators + blocks

    @cached_property
    def spec(self) -> InputSpec:
        """What a model is fed with."""
        edges = [edges for column in self._spread for edges in column.numeric_edges]
        edges += [()] * sum(column.missing for column in self._spread)
        widths = tuple(column.width for column in self._blocks)
        return InputSpec((len(edges) + sum(widths),), len(edges), widths, tuple(edges))

    def encode(self, samples: Samples) -> TableRows:
        """All rows of a table as the model's inputs.

        Raises:
            DataError: a column is missing (the nearest name is offered), or a value is not of its kind.
        """
        frame = as_frame(samples.features)
        self._check_columns(samples.name, frame.columns)
        inputs: list[np.ndarray] = []
        indicators: list[np.ndarray] = []
        for column in self._spread:
            values, indicator = column.encode(frame[column.name], samples.place)
            inputs += values
            indicators += [] if indicator is None else [indicator]
        numeric = _stack(inputs + indicators, len(frame), np.float32)
        codes = _stack([column.encode(frame[column.name]) for column in self._blocks], len(frame), np.int32)
        widths = tuple(column.width for column in self._blocks)
        return TableRows(torch.from_numpy(numeric), torch.from_numpy(codes), widths)

    def unseen(self, samples: Samples) -> dict[str, int]:
        """For each column of categories in how many rows it has a value that no training row had."""
        frame = as_frame(samples.features)
        counts = {column.name: column.unseen(frame[column.name]) for column in self._blocks}
        return {name: count for name, count in counts.items() if count}

    def extra_columns(self, columns: Collection[str]) -> list[str]:
        """The columns that were not there in training; they are ignored, which should be said."""
        known = {*self.columns_used, *self.columns_left_out}
        return [column for column in columns if column not in known]

    def _check_columns(self, name: str, columns: list[str]) -> None:
        missing = [column for column in self.columns_used if column not in set(columns)]
        if not missing:
            return
        quoted = ", ".join(f'"{column}"' for column in missing[:10]) + (" ..." if len(missing) > 10 else "")
        near = did_you_mean(missing[0], self.extra_columns(columns))
        if self.is_array:
            near = f"The model was trained on {len(self.columns) + len(self.columns_left_out)} columns."
        raise DataError(
            f"{name} lacks {'columns' if len(missing) > 1 else 'the column'} {quoted} that the model needs.",
            hint=near or f"It has: {', '.join(columns[:20])}.",
        )

    def to_json(self) -> dict[str, Any]:
        """The preprocessing as JSON values; floats are exact, as Python writes them."""
        return {
            "kind": self.kind,
            "is_array": self.is_array,
            "columns": [column.to_json() for column in self.columns],
            "left_out": self.columns_left_out,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TablePreprocessing:
        """The inverse of `to_json`."""
        columns = [_CLASSES[column["kind"]].from_json(column) for column in values["columns"]]
        return cls(columns, dict(values["left_out"]), is_array=values["is_array"])


def unseen_notes(counts: Mapping[str, int]) -> list[str]:
    """What must be said of values that training never saw (`TablePreprocessing.unseen`, summed up)."""
    if not counts:
        return []
    told = ", ".join(f'"{name}" in {count:,} row{"s" * (count != 1)}' for name, count in counts.items())
    return [f"Values never seen in training: {told}; they were taken for rare or the most frequent ones."]


def as_frame(features: pl.DataFrame | np.ndarray) -> pl.DataFrame:
    """A table as it is, an array `(N, F)` as a table with columns `column_1` to `column_F`."""
    if isinstance(features, pl.DataFrame):
        return features
    return pl.DataFrame({f"column_{i + 1}": features[:, i] for i in range(features.shape[1])})


def _kind_of(column: pl.Series) -> str:
    """The kind of a column about which its source said nothing."""
    if column.dtype == pl.Boolean:
        return "boolean"
    if column.dtype.is_temporal():
        return "datetime"
    return "numeric" if column.dtype.is_numeric() else "categorical"


def _fit_column(
    column: pl.Series, kind: str, left_out: str | None, cuts: bool
) -> Spread | CategoricalColumn | str:
    """A column fitted on training rows, or the reason why it is left out."""
    if left_out or kind not in _CLASSES:
        return left_out or _REASONS[kind]
    if cuts and kind != "datetime":
        return "rows were cut by it, so that later values are never seen in training"
    if kind == "datetime":
        return DatetimeColumn.fit(column, recurring=cuts)
    return _CLASSES[kind].fit(column)


def _stack(columns: list[np.ndarray], rows: int, dtype: Any) -> np.ndarray:
    """Columns side by side, `(rows, len(columns))`, also when there are none."""
    table = np.empty((rows, len(columns)), dtype=dtype)
    for index, column in enumerate(columns):
        table[:, index] = column
    return table
