"""What each column of a table is: numeric, categorical, a point in time, an identifier ..."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from torchstone.data.conversion import (
    DECIMAL_COMMA,
    ISO,
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
    "identifier": "identifier",
    "constant": "constant",
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
_TRUTH_WORDS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
_ODD_MARKS = frozenset(
    ["-", "--", "---", ".", "..", "*", "unknown", "missing", "n.a.", "not available", "none."]
)
_FEW = 20


@dataclass(frozen=True)
class ColumnGuess:
    """What a column is.

    Attributes:
        kind: one of `KINDS`.
        form: how it is written (a format of a point in time, or DECIMAL_COMMA), None where that is plain.
        note: what must be said about the guess, a sentence; empty where nothing must.
        missing: what else means "missing" in this column.
    """

    kind: str
    form: str | None = None
    note: str = ""
    missing: tuple[str, ...] = ()


def unknown_column(
    name: str, columns: Iterable[str], message: str, taken: Mapping[str, str] | None = None
) -> DataError:
    """The error for a column that is not there; names the nearest one, else the columns there are.

    Args:
        name: what was asked for.
        columns: those that there are.
        message: who asked, such as `--target income`.
        taken: the columns of the table that are none of these, and what they are.
    """
    known = list(columns)
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    if taken and name in taken:
        return DataError(f'{message}: column "{name}" is {taken[name]}.', hint=f"The others are {shown}.")
    return DataError(
        f'{message}: there is no column "{name}".',
        hint=did_you_mean(name, known) or f"The columns are {shown}.",
    )


def guess_columns(
    frame: pl.DataFrame,
    overrides: Mapping[str, str] | None = None,
    *,
    missing: Sequence[str] = (),
) -> dict[str, ColumnGuess]:
    """Recognises each column of a table.

    Args:
        frame: the columns, as text or typed.
        overrides: kinds that the user states, by column.
        missing: further guises of missing values.

    Raises:
        DataError: an override for a column or with a kind that there is not.
    """
    overrides = overrides or {}
    check_overrides(overrides, frame.columns)
    guesses = {}
    for column in frame.iter_columns():
        cleaned = clean(column, missing)
        stated = overrides.get(column.name)
        guesses[column.name] = _stated(stated, cleaned) if stated else guess_column(cleaned)
    return guesses


def check_overrides(
    overrides: Mapping[str, str], columns: Sequence[str], taken: Mapping[str, str] | None = None
) -> None:
    """Raises DataError for a column that is not there or a kind that is none.

    Args:
        overrides: kinds by column.
        columns: the columns that there are.
        taken: the columns of the table that are none of these, and what they are.
    """
    for name, kind in overrides.items():
        if name not in columns:
            raise unknown_column(name, columns, f"--columns {name}={kind}", taken)
        if kind not in KINDS:
            nearest = did_you_mean(kind, KINDS)
            raise DataError(
                f'--columns {name}={kind}: "{kind}" is not a kind of column.',
                hint=f"{nearest} The kinds are {', '.join(KINDS)}.".strip(),
            )


def _stated(kind: str, cleaned: pl.Series) -> ColumnGuess:
    if kind == "datetime":
        return ColumnGuess(
            kind, ISO if cleaned.dtype.is_temporal() else datetime_form(cleaned.cast(pl.String))
        )
    if kind == "numeric" and cleaned.dtype == pl.String and _has_decimal_comma(cleaned.drop_nulls()):
        return ColumnGuess(kind, DECIMAL_COMMA)
    return ColumnGuess(kind)


def guess_column(cleaned: pl.Series) -> ColumnGuess:
    """What one column is, from what `conversion.clean` made of it."""
    dtype = cleaned.dtype
    values = cleaned.drop_nulls()
    values = values.drop_nans() if dtype.is_float() else values
    distinct = values.n_unique()
    if len(values) == 0:
        return ColumnGuess("constant", note=f'Column "{cleaned.name}" has no value at all.')
    if distinct == 1 and len(values) == len(cleaned):
        return ColumnGuess("constant")
    if dtype == pl.Boolean:
        return ColumnGuess("boolean")
    if dtype.is_temporal() and dtype != pl.Time:
        return ColumnGuess("datetime", ISO)
    if dtype in (pl.Categorical, pl.Enum):
        return ColumnGuess("categorical")
    if dtype.is_numeric():
        return _numeric(cleaned, values, to_numbers(values), distinct, None)
    return _guess_text(cleaned.cast(pl.String), values.cast(pl.String), distinct)


def _guess_text(cleaned: pl.Series, values: pl.Series, distinct: int) -> ColumnGuess:
    if _is_boolean(values):
        return ColumnGuess("boolean")
    numbers = to_numbers(values)
    share = 1 - numbers.null_count() / len(values)
    if share < 1 and _has_decimal_comma(values):
        return _numeric(cleaned, values, to_numbers(values, DECIMAL_COMMA), distinct, DECIMAL_COMMA)
    if share == 1:
        if values.str.contains(_LEADING_ZERO).any():
            return _codes(cleaned, values, distinct)
        return _numeric(cleaned, values, numbers, distinct, None)
    form = datetime_form(values)
    if form is not None:
        return ColumnGuess("datetime", form, _ambiguous(values, form))
    if share > 0.5:
        return _mixed(values, numbers, share)
    return _words(cleaned, values, distinct)


def _mixed(values: pl.Series, numbers: pl.Series, share: float) -> ColumnGuess:
    """A column of numbers and other words."""
    other = values.filter(numbers.is_null())
    told = f'Column "{values.name}": {len(other)} of {len(values)} values are no numbers'
    words = other.unique(maintain_order=True).to_list()
    if len(words) == 1 and words[0].lower() in _ODD_MARKS:
        return ColumnGuess("numeric", None, f'{told} but "{words[0]}", taken as missing.', (words[0],))
    if share >= MIXED_SHARE and numbers.drop_nulls().n_unique() > _FEW:
        return ColumnGuess("numeric")  # `Reading.typed` names the rows that are no numbers
    return ColumnGuess("categorical", note=f'{told}, such as "{words[0]}": taken as categorical.')


def _is_boolean(values: pl.Series) -> bool:
    """Whether the column holds two opposite truth words and nothing else (0 and 1 are numbers)."""
    if values.head(1000).n_unique() > 6:
        return False
    return set(values.str.to_lowercase().unique()) in _TRUTH_WORDS


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
            return ColumnGuess("identifier", form)
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
    note = f'Column "{cleaned.name}" has leading zeros, such as "{first}": taken as categories.'
    return ColumnGuess("categorical", note=note)


def _words(cleaned: pl.Series, values: pl.Series, distinct: int) -> ColumnGuess:
    if len(values) <= _FEW:
        return ColumnGuess("categorical")
    spread = distinct / len(values)
    words = values.str.count_matches(r"\S+").sum() / len(values)
    length = values.str.len_chars().sum() / len(values)
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
    read = values.unique().str.to_datetime(other, strict=False) if "%H" in form else None
    read = values.unique().str.to_date(other, strict=False) if read is None else read
    return "read as month/day/year; day/month/year fits too" if read.null_count() == 0 else ""
