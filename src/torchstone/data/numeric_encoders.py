"""How numbers, answers and points in time become numeric inputs: fitted on training rows, exact in JSON.

Numbers are centred on their median, scaled by their quartiles and smoothly clipped to (-3, 3), as in
Holzmüller et al., "Better by Default" (RealMLP, 2024): a heavy tail can neither rule the scale nor the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl

from torchstone.data.conversion import to_booleans, to_datetimes, to_numbers
from torchstone.errors import DataError

Place = Callable[[int], str]

_MOST_EDGES = 48
_CLIP = 3.0
_FAR = 1e100
"""From far below it on, clipping gives the border itself; its square is still a number."""
_NORMAL_IQR = 1.349
"""The distance of the quartiles of a standard normal distribution."""

_PARTS: dict[str, Callable[[pl.Series], pl.Series]] = {
    "time": lambda moments: moments.dt.epoch("s"),
    "year": lambda moments: moments.dt.year(),
    "month": lambda moments: moments.dt.month(),
    "weekday": lambda moments: moments.dt.weekday(),
    "hour": lambda moments: moments.dt.hour(),
}
_RECURRING = ("month", "weekday", "hour")


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers.

    Args:
        name: the column's name.
        center, scale: of the known training values.
        fill: what stands for a missing value, in the column's unit.
        missing: whether training rows had missing values, which then have an indicator.
        edges: distinct quantiles of the training values in model units.
    """

    kind: ClassVar[str] = "numeric"
    name: str
    center: float
    scale: float
    fill: float
    missing: bool
    edges: tuple[float, ...]

    @classmethod
    def fit(cls, column: pl.Series) -> NumericColumn | str:
        """Fitted on a column's training rows, or the reason why it is left out."""
        values = numbers(column)
        known = values[~np.isnan(values)]
        missing = len(known) < len(values)
        if not len(known):
            return "no value in the training rows"
        if not missing and (known == known[0]).all():
            return "constant in the training rows"
        center, scale = _center_and_scale(known)
        fill = float(np.median(known))
        return cls(column.name, center, scale, fill, missing, _edges(_in_units(known, center, scale)))

    @property
    def numeric_names(self) -> list[str]:
        """A name for each numeric input."""
        return [self.name]

    @property
    def numeric_edges(self) -> list[tuple[float, ...]]:
        """The edges of each numeric input."""
        return [self.edges]

    def encode(self, column: pl.Series, place: Place) -> tuple[list[np.ndarray], np.ndarray | None]:
        """The inputs and the indicator of missing values (None where training had none)."""
        values = numbers(column, place)
        indicator = np.isnan(values).astype(np.float32) if self.missing else None
        return [self.encode_numbers(values)], indicator

    def encode_numbers(self, values: np.ndarray) -> np.ndarray:
        """Numbers in the column's unit as model inputs, float32 `(N,)`."""
        filled = np.where(np.isnan(values), self.fill, values)
        return _in_units(filled, self.center, self.scale).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """The column as JSON values."""
        return {"kind": self.kind, **asdict(self), "edges": list(self.edges)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> NumericColumn:
        """The inverse of `to_json`."""
        given = {key: value for key, value in values.items() if key != "kind"}
        return cls(**{**given, "edges": tuple(values["edges"])})


@dataclass(frozen=True)
class BooleanColumn:
    """A column of yes and no: 1 and 0, and the training rows' share of yes where a value is missing."""

    kind: ClassVar[str] = "boolean"
    name: str
    fill: float
    missing: bool

    @classmethod
    def fit(cls, column: pl.Series) -> BooleanColumn | str:
        """Fitted on a column's training rows, or the reason why it is left out."""
        values = _answers(column)
        known = values[~np.isnan(values)]
        missing = len(known) < len(values)
        if not len(known):
            return "no value in the training rows"
        if not missing and (known == known[0]).all():
            return "constant in the training rows"
        return cls(column.name, float(known.mean()), missing)

    @property
    def numeric_names(self) -> list[str]:
        """A name for each numeric input."""
        return [self.name]

    @property
    def numeric_edges(self) -> list[tuple[float, ...]]:
        """The edges of each numeric input: none, it has two values."""
        return [()]

    def encode(self, column: pl.Series, place: Place) -> tuple[list[np.ndarray], np.ndarray | None]:
        """The inputs and the indicator of missing values (None where training had none)."""
        values = _answers(column, place)
        indicator = np.isnan(values).astype(np.float32) if self.missing else None
        return [np.where(np.isnan(values), self.fill, values).astype(np.float32)], indicator

    def to_json(self) -> dict[str, Any]:
        """The column as JSON values."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> BooleanColumn:
        """The inverse of `to_json`."""
        return cls(values["name"], values["fill"], values["missing"])


@dataclass(frozen=True)
class DatetimeColumn:
    """A column of points in time: seconds since 1970, year, month, weekday and hour, as far as they vary.

    Args:
        name: the column's name.
        parts: the fitted parts, named `<column> <part>`.
        missing: whether training rows had missing values.
    """

    kind: ClassVar[str] = "datetime"
    name: str
    parts: tuple[NumericColumn, ...]
    missing: bool

    @classmethod
    def fit(cls, column: pl.Series, *, recurring: bool = False) -> DatetimeColumn | str:
        """Fitted on a column's training rows, or the reason why it is left out.

        Args:
            column: the training rows.
            recurring: only what comes again: rows were cut by this column, so later years are never seen.
        """
        moments = _moments(column, None)
        if moments.null_count() == len(moments):
            return "no value in the training rows"
        parts = []
        for part in _RECURRING if recurring else _PARTS:
            values = _part(moments, part).drop_nulls().alias(f"{column.name} {part}")
            fitted = NumericColumn.fit(values)
            if not isinstance(fitted, str):
                parts.append(fitted)
        if not parts:
            return "constant in the training rows"
        return cls(column.name, tuple(parts), moments.null_count() > 0)

    @property
    def numeric_names(self) -> list[str]:
        """A name for each numeric input."""
        return [part.name for part in self.parts]

    @property
    def numeric_edges(self) -> list[tuple[float, ...]]:
        """The edges of each numeric input."""
        return [part.edges for part in self.parts]

    def encode(self, column: pl.Series, place: Place) -> tuple[list[np.ndarray], np.ndarray | None]:
        """The inputs and the indicator of missing values (None where training had none)."""
        moments = _moments(column, place)
        inputs = []
        for part in self.parts:
            values = _part(moments, part.name.removeprefix(f"{self.name} "))
            inputs.append(part.encode_numbers(values.cast(pl.Float64).to_numpy()))
        indicator = moments.is_null().to_numpy().astype(np.float32) if self.missing else None
        return inputs, indicator

    def to_json(self) -> dict[str, Any]:
        """The column as JSON values."""
        parts = [part.to_json() for part in self.parts]
        return {"kind": self.kind, "name": self.name, "parts": parts, "missing": self.missing}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DatetimeColumn:
        """The inverse of `to_json`."""
        parts = tuple(NumericColumn.from_json(part) for part in values["parts"])
        return cls(values["name"], parts, values["missing"])


def numbers(column: pl.Series, place: Place | None = None) -> np.ndarray:
    """A column as float64, NaN where a value is missing or infinite.

    Raises:
        DataError: a value is no number; names its row.
    """
    read = column if column.dtype.is_numeric() or column.dtype == pl.Boolean else to_numbers(column)
    _check_read(column, read, "a number", place)
    values = read.cast(pl.Float64).to_numpy().copy()
    values[~np.isfinite(values)] = np.nan
    return values


def _answers(column: pl.Series, place: Place | None = None) -> np.ndarray:
    read = column if column.dtype == pl.Boolean or column.dtype.is_numeric() else to_booleans(column)
    _check_read(column, read, "yes or no", place)
    return read.cast(pl.Float64).to_numpy()


def _moments(column: pl.Series, place: Place | None) -> pl.Series:
    if column.dtype.is_temporal():
        return column.cast(pl.Datetime("us"))
    read = to_datetimes(column, None)
    _check_read(column, read, "a point in time", place)
    return read.cast(pl.Datetime("us"))


def _part(moments: pl.Series, part: str) -> pl.Series:
    return _PARTS[part](moments)


def _check_read(column: pl.Series, read: pl.Series, what: str, place: Place | None) -> None:
    """Every value that is there must have been read."""
    unread = read.is_null() & column.is_not_null()
    if not unread.any():
        return
    index = int(unread.arg_true()[0])
    where = f"{place(index)}: " if place is not None else ""
    raise DataError(
        f'{where}"{column[index]}" in column "{column.name}" is not {what}.',
        hint="Mend the value, or say what the column is with --columns name=kind.",
    )


def _center_and_scale(known: np.ndarray) -> tuple[float, float]:
    """Median and quartile distance; the deviation where more than half of the values are the same."""
    with np.errstate(over="ignore", invalid="ignore"):  # a scale that is not finite is replaced
        low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
        scale = float(high - low) / _NORMAL_IQR
        if not scale > 0 or not np.isfinite(scale):
            scale = float(known.std())
    return float(middle), scale if scale > 0 and np.isfinite(scale) else 1.0


def _in_units(values: np.ndarray, center: float, scale: float) -> np.ndarray:
    """Values centred, scaled and smoothly clipped; any that is large enough becomes the border."""
    with np.errstate(over="ignore"):
        scaled = np.clip((values - center) / scale, -_FAR, _FAR)
    clipped: np.ndarray = scaled / np.sqrt(1 + (scaled / _CLIP) ** 2)
    return clipped


def _edges(encoded: np.ndarray) -> tuple[float, ...]:
    """Distinct quantiles of encoded training values, ascending."""
    quantiles = np.quantile(encoded, np.linspace(0, 1, _MOST_EDGES))
    return tuple(float(edge) for edge in np.unique(quantiles.astype(np.float32)))
