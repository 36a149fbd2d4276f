"""From cells as they are written to typed columns: missing guises, numbers, booleans, points in time."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

#: How published data writes "no value"; compared without regard to case after spaces are trimmed.
MISSING = ("", "NA", "N/A", "#N/A", "NaN", "null", "None", "?", "<NA>", "NaT")

TRUE = frozenset(["1", "true", "yes", "t", "y"])
FALSE = frozenset(["0", "false", "no", "f", "n"])
"""How truth values are written, compared in lower case."""

#: Form of a numeric column whose decimals are written with a comma ("3,14").
DECIMAL_COMMA = "decimal comma"

#: Form of a column of points in time that were typed already (Parquet, Arrow, frames).
ISO = "iso"

#: How dates and times are written, the first that reads all values wins (month first before day first).
DATETIME_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d-%b-%Y",
    "%d %b %Y",
)

_GUISES = tuple(guise.lower() for guise in MISSING)

_TICKS = {"ms": 1e3, "us": 1e6, "ns": 1e9}
"""How many units of a span of time are a second."""


def clean(series: pl.Series, missing: Sequence[str] = ()) -> pl.Series:
    """A column as it came, its text trimmed and null where a value is missing.

    Args:
        series: a column of any type; one that is typed already (numbers, truth values, points in time,
            categories) stays as it is, but spans of time become their numbers of seconds.
        missing: further guises of a missing value, as given with ``--missing``.
    """
    if series.dtype == pl.Null:
        return series.cast(pl.String)
    if isinstance(series.dtype, pl.Duration):
        return series.to_physical().cast(pl.Float64) / _TICKS[series.dtype.time_unit]
    if series.dtype == pl.Binary:
        series = series.cast(pl.String, strict=False)
    if series.dtype != pl.String:
        return series
    text = series.str.strip_chars()
    absent = text.str.to_lowercase().is_in(list(_GUISES))
    if missing:
        absent = absent | text.is_in([guise.strip() for guise in missing])
    return text.zip_with(~absent.fill_null(True), pl.Series([None], dtype=pl.String)).alias(series.name)


def to_numbers(cleaned: pl.Series, form: str | None = None) -> pl.Series:
    """The cells as Float64, null where a cell is not a number; ``form`` may be DECIMAL_COMMA."""
    if cleaned.dtype.is_numeric() or cleaned.dtype == pl.Boolean:
        return cleaned.cast(pl.Float64)
    if cleaned.dtype.is_temporal():
        return pl.Series(cleaned.name, [None] * len(cleaned), dtype=pl.Float64)
    text = cleaned.cast(pl.String)
    if form == DECIMAL_COMMA:
        text = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return text.cast(pl.Float64, strict=False).fill_nan(None)


def to_booleans(cleaned: pl.Series) -> pl.Series:
    """The cells as Boolean (see TRUE and FALSE), null where a cell is none of them."""
    lower = cleaned.cast(pl.String).str.to_lowercase().str.strip_suffix(".0")
    known = {**dict.fromkeys(sorted(TRUE), True), **dict.fromkeys(sorted(FALSE), False)}
    return lower.replace_strict(known, default=None, return_dtype=pl.Boolean).alias(cleaned.name)


def to_categories(column: pl.Series) -> pl.Series:
    """The cells as text, whole numbers without a decimal point."""
    if column.dtype.is_float():
        return column.fill_nan(None).cast(pl.String).str.strip_suffix(".0")
    return column.cast(pl.String)


def to_datetimes(cleaned: pl.Series, form: str | None) -> pl.Series:
    """The cells as Datetime (microseconds, no time zone: UTC), null where a cell does not follow ``form``."""
    moment = pl.Datetime("us")
    if cleaned.dtype.is_temporal():
        zoned = isinstance(cleaned.dtype, pl.Datetime) and cleaned.dtype.time_zone is not None
        return (cleaned.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zoned else cleaned).cast(
            moment
        )
    cleaned = cleaned.cast(pl.String)
    if form is None:
        form = datetime_form(cleaned) or ISO
    if form != ISO:
        return _parse_datetimes(cleaned, form)
    parts = cleaned.str.replace(r"(Z|[+-]00:00|\s*UTC)$", "")
    read = pl.Series(cleaned.name, [None] * len(cleaned), dtype=moment)
    for candidate in DATETIME_FORMATS[:6]:
        read = read.zip_with(read.is_not_null(), _parse_datetimes(parts, candidate))
    return read


def _parse_datetimes(cleaned: pl.Series, form: str) -> pl.Series:
    if not any(part in form for part in ("%H", "%f")):
        return cleaned.str.to_date(form, strict=False).cast(pl.Datetime("us"))
    return cleaned.str.to_datetime(form, strict=False, time_unit="us")


def datetime_form(cleaned: pl.Series) -> str | None:
    """The way in which all cells of the column write a point in time, None when there is none."""
    values = cleaned.drop_nulls().unique()
    first = values.head(50)
    for form in DATETIME_FORMATS:
        if len(first) and all(_parse_datetimes(part, form).null_count() == 0 for part in (first, values)):
            return form
    return None


def is_infinite(cleaned: pl.Series) -> pl.Series:
    """Mask of the cells that are read as plus or minus infinity."""
    return to_numbers(cleaned).is_infinite().fill_null(False)


def convert(
    cleaned: pl.Series, kind: str, form: str | None = None, missing: Sequence[str] = ()
) -> tuple[pl.Series, pl.Series]:
    """The typed column of a kind.

    Args:
        cleaned: what `clean` gives, text or typed.
        kind: one of `columns.KINDS`; all but numeric, boolean and datetime stay text.
        form: how the column is written, as recognised on the training data.
        missing: further guises; those that are numbers are compared as numbers ("0" is "0.0").

    Returns:
        The column (Float64, Boolean, Datetime or String) and the mask of cells that hold a value which
        could not be read as this kind. Those are null in the column, and so are infinite numbers.
    """
    if kind == "numeric":
        numbers = _numbers(cleaned, form)
        unread = numbers.is_null() & cleaned.is_not_null()
        return _without(numbers, missing), unread
    if kind == "boolean":
        typed = to_booleans(cleaned)
    elif kind == "datetime":
        typed = to_datetimes(cleaned, form)
    else:
        typed = clean(to_categories(cleaned), missing)
        return typed, pl.Series(cleaned.name, [False]).new_from_index(0, len(cleaned))
    return typed, typed.is_null() & cleaned.is_not_null()


def _numbers(cleaned: pl.Series, form: str | None) -> pl.Series:
    numbers = to_numbers(cleaned, form)
    if numbers.null_count() > cleaned.null_count():
        # A column of yes and no that `--columns` calls numeric.
        numbers = numbers.zip_with(numbers.is_not_null(), to_booleans(cleaned).cast(pl.Float64))
    return numbers


def _without(numbers: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Numbers without the infinite ones and without those that mean "missing"."""
    kept = numbers.is_finite().fill_null(False)
    guises = pl.Series(list(missing), dtype=pl.String).cast(pl.Float64, strict=False).drop_nulls()
    if len(guises):
        kept = kept & ~numbers.is_in(guises.to_list()).fill_null(False)
    return numbers.zip_with(kept, pl.Series([None], dtype=pl.Float64))
