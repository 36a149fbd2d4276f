"""What each column of a table is: numeric, categorical, a point in time, an identifier ..."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from torchstone.data.conversion import (
    DECIMAL_COMMA,
    FALSE,
    ISO,
    TRUE,
    clean,
    datetime_form,
    to_numbers,
)
from torchstone.errors import DataError, did_you_mean

KINDS = (
    "numeric",
    "categorical",
    "boolean",
    "datetime",
    "text",
    "identifier",
    "constant",
    "drop",
)

LEFT_OUT = {
    "text": "free text, left out for now",
    "identifier": "an identifier: it names the row and says nothing about it",
    "constant": "the same in every row",
    "drop": "dropped as asked",
}
"""Kinds that no model is fed with, and why."""

MIXED_SHARE = 0.95
"""From this share of numbers on, a column that holds other text too is taken for a damaged numeric one."""

_LEADING_ZERO = r"^[+-]?0\d"
_COMMA_NUMBER = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?$"
_IDENTIFIER_NAME = re.compile(
    r"(^|[_\s.-])(id|uuid|guid|pid|index|rowid|row_id)$|(?<=[a-z])(Id|ID)$|^unnamed: 0$"
)
_FEW = 20


@dataclass(frozen=True)
class ColumnGuess:
    """What a column is.

    Attributes:
        kind: one of `KINDS`.
        form: how it is written (a format of a point in time, or DECIMAL_COMMA), None where that is plain.
        note: what should be said about the guess, empty where nothing should.
    """

    kind: str
    form: str | None = None
    note: str = ""


def unknown_column(name: str, columns: Iterable[str], message: str) -> DataError:
    """The error for a column that is not there; names the nearest one, else the columns there are."""
    known = list(columns)
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return DataError(
        message, hint=did_you_mean(name, known) or f"The columns are: {shown}."
    )


def column_kinds(
    frame: pl.DataFrame, overrides: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The kind of each column, see `guess_columns`."""
    return {name: guess.kind for name, guess in guess_columns(frame, overrides).items()}


def guess_columns(
    frame: pl.DataFrame,
    overrides: Mapping[str, str] | None = None,
    *,
    missing: Sequence[str] = (),
    cleaned: Mapping[str, pl.Series] | None = None,
) -> dict[str, ColumnGuess]:
    """Recognises each column of a table.

    Args:
        frame: the columns, as text or typed.
        overrides: kinds that the user states, by column.
        missing: further guises of missing values.
        cleaned: what `conversion.clean` made of the columns, made here when not given.

    Raises:
        DataError: an override for a column or with a kind that there is not.
    """
    overrides = overrides or {}
    check_overrides(overrides, frame.columns)
    guesses = {}
    for column in frame.iter_columns():
        values = cleaned[column.name] if cleaned is not None else clean(column, missing)
        if column.name in overrides:
            guesses[column.name] = _stated(overrides[column.name], column.dtype, values)
        else:
            guesses[column.name] = guess_column(column.dtype, values)
    return guesses


def check_overrides(overrides: Mapping[str, str], columns: Sequence[str]) -> None:
    """Raises DataError for a column that is not there or a kind that is none."""
    for name, kind in overrides.items():
        if name not in columns:
            raise unknown_column(
                name, columns, f'--columns {name}={kind}: there is no column "{name}".'
            )
        if kind not in KINDS:
            nearest = did_you_mean(kind, KINDS)
            raise DataError(
                f'--columns {name}={kind}: "{kind}" is not a kind of column.',
                hint=f"{nearest} The kinds are {', '.join(KINDS)}.".strip(),
            )


def _stated(kind: str, dtype: pl.DataType, values: pl.Series) -> ColumnGuess:
    if kind == "datetime":
        form = ISO if dtype.is_temporal() else datetime_form(values)
        return ColumnGuess(kind, form)
    if (
        kind == "numeric"
        and dtype == pl.String
        and _has_decimal_comma(values.drop_nulls())
    ):
        return ColumnGuess(kind, DECIMAL_COMMA)
    return ColumnGuess(kind)


def guess_column(dtype: pl.DataType, cleaned: pl.Series) -> ColumnGuess:
    """What one column is.

    Args:
        dtype: the type it came with; String for text tables.
        cleaned: what `conversion.clean` made of it.
    """
    values = cleaned.drop_nulls()
    distinct = values.n_unique()
    if len(values) == 0:
        return ColumnGuess("constant", note="has no value at all")
    if distinct == 1 and len(values) == len(cleaned):
        return ColumnGuess("constant")
    if dtype == pl.Boolean:
        return ColumnGuess("boolean")
    if dtype.is_temporal() and dtype not in (pl.Duration, pl.Time):
        return ColumnGuess("datetime", ISO)
    if dtype in (pl.Categorical, pl.Enum):
        return ColumnGuess("categorical")
    if dtype.is_numeric():
        return _numeric(cleaned, values, to_numbers(values), distinct, None)
    return _guess_text(cleaned, values, distinct)


def _guess_text(cleaned: pl.Series, values: pl.Series, distinct: int) -> ColumnGuess:
    if _is_boolean(values):
        return ColumnGuess("boolean")
    numbers = to_numbers(values)
    share = 1 - numbers.null_count() / len(values)
    if share < 1 and _has_decimal_comma(values):
        return _numeric(
            cleaned, values, to_numbers(values, DECIMAL_COMMA), distinct, DECIMAL_COMMA
        )
    if share == 1:
        if values.str.contains(_LEADING_ZERO).any():
            return _codes(cleaned, values, distinct)
        return _numeric(cleaned, values, numbers, distinct, None)
    if share >= MIXED_SHARE and numbers.drop_nulls().n_unique() > _FEW:
        return ColumnGuess(
            "numeric"
        )  # `Reading.typed` names the rows that are no numbers
    form = datetime_form(values)
    if form is not None:
        return ColumnGuess("datetime", form, _ambiguous(values, form))
    if share > 0.5:
        other = values.filter(numbers.is_null())
        note = f"{len(other)} of {len(values)} values are not numbers (such as {other[0]!r}): taken as categorical"
        return ColumnGuess("categorical", note=note)
    return _words(cleaned, values, distinct)


def _is_boolean(values: pl.Series) -> bool:
    found = set(values.head(1000).str.to_lowercase().unique())
    if not any(found <= {yes, no} for yes, no in zip(TRUE, FALSE, strict=True)):
        return False
    found = set(values.str.to_lowercase().unique())
    return any(found == {yes, no} for yes, no in zip(TRUE, FALSE, strict=True))


def _has_decimal_comma(values: pl.Series) -> bool:
    if not values.str.contains(",", literal=True).any():
        return False
    return bool(values.str.contains(_COMMA_NUMBER).all())


def _numeric(
    cleaned: pl.Series,
    values: pl.Series,
    numbers: pl.Series,
    distinct: int,
    form: str | None,
) -> ColumnGuess:
    whole = bool((numbers == numbers.floor()).fill_null(False).all())
    if whole and len(values) > _FEW:
        complete = len(values) == len(cleaned)
        if complete and distinct == len(values) and _counts_up(numbers):
            return ColumnGuess("identifier", form, "counts the rows")
        if _named_identifier(cleaned.name) and distinct >= 0.5 * len(values):
            return ColumnGuess("identifier", form)
    return ColumnGuess("numeric", form)


def _counts_up(numbers: pl.Series) -> bool:
    return bool((numbers.diff().drop_nulls() == 1).all())


def _named_identifier(name: str) -> bool:
    return bool(_IDENTIFIER_NAME.search(name) or _IDENTIFIER_NAME.search(name.lower()))


def _codes(cleaned: pl.Series, values: pl.Series, distinct: int) -> ColumnGuess:
    if len(values) > _FEW and distinct >= 0.95 * len(cleaned):
        return ColumnGuess("identifier")
    first = values.filter(values.str.contains(_LEADING_ZERO))[0]
    return ColumnGuess(
        "categorical", note=f"has leading zeros (such as {first}): taken as codes"
    )


def _words(cleaned: pl.Series, values: pl.Series, distinct: int) -> ColumnGuess:
    if len(values) <= _FEW:
        return ColumnGuess("categorical")
    spread = distinct / len(values)
    words = values.str.count_matches(r"\S+").mean()
    length = values.str.len_chars().mean()
    assert isinstance(words, float) and isinstance(length, float)
    if (words >= 3 and spread > 0.5) or (words >= 5 and length >= 40 and spread > 0.1):
        return ColumnGuess("text")
    if spread >= 0.95 or (_named_identifier(cleaned.name) and spread >= 0.5):
        return ColumnGuess("identifier")
    return ColumnGuess("categorical")


def _ambiguous(values: pl.Series, form: str) -> str:
    """Month first or day first: said when both read every value."""
    other = form.replace("%m/%d", "%d/%m")
    if other == form:
        return ""
    read = (
        values.unique().str.to_datetime(other, strict=False) if "%H" in form else None
    )
    read = values.unique().str.to_date(other, strict=False) if read is None else read
    return (
        "read as month/day/year; day/month/year fits too"
        if read.null_count() == 0
        else ""
    )
