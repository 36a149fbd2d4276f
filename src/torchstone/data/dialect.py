"""How a text table is written: its separator, its quoting, and whether its first line names the columns."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from torchstone.data.conversion import clean, datetime_form, to_numbers
from torchstone.data.encoding import open_text
from torchstone.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_NAMES = {
    ",": "comma",
    ";": "semicolon",
    "\t": "tab",
    "|": "vertical bar",
    " ": "space",
}

FEW_QUOTED = 0.05
"""Fields in quotes per row up to which quotes may still be ordinary characters."""

_SAMPLE_CHARACTERS = 1 << 18


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Attributes:
        separator: one character.
        quote: the quote character, None where quotes are ordinary characters.
        header: the first line names the columns.
        first: the fields of the first line.
    """

    separator: str
    quote: str | None
    header: bool
    first: tuple[str, ...]


def find_dialect(
    path: Path, encoding: str, separator: str | None = None, header: bool | None = None
) -> Dialect:
    """Finds out how a text table is written; what is given is not guessed.

    Raises:
        DataError: it holds white space alone.
    """
    with open_text(path, encoding) as file:
        text = file.read(_SAMPLE_CHARACTERS)
        whole = not file.read(1)
    text = text.lstrip("\ufeff")
    candidates = [separator] if separator else SEPARATORS
    tried = [
        (candidate, quote, _rows(text, candidate, quote, whole))
        for candidate in candidates
        for quote in ('"', None)
    ]
    found, quote, rows = max(tried, key=lambda attempt: _score(attempt[1], attempt[2]))
    if not rows:
        raise DataError(f"{path} has no line with a value.", hint="Give a file with a header line and rows.")
    first = tuple(field.strip() for field in rows[0])
    return Dialect(found, quote, has_header(rows) if header is None else header, first)


def _rows(text: str, separator: str, quote: str | None, whole: bool) -> list[list[str]]:
    reader = csv.reader(
        io.StringIO(text),
        delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        skipinitialspace=True,
    )
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in reader if any(field.strip() for field in row))
    except csv.Error:  # a field beyond the limit: quotes that are never closed
        return rows or [[text.split("\n", 1)[0]]]
    # The sample may end within a row.
    return rows if whole or len(rows) < 2 else rows[:-1]


def _score(quote: str | None, rows: list[list[str]]) -> tuple[float, int, int]:
    """Share of rows with the usual number of fields (0 for a single column), that number, and the rows.

    Where all fits with and without quotes, more rows without them mean that quotes are ordinary characters,
    unless they enclose whole fields. Where fields begin with a quote that ends in a later one, the quotes
    hold separators or line ends, however well the rows fit without them.
    """
    if not rows:
        return (0.0, 0, 0)
    usual, count = Counter(len(row) for row in rows).most_common(1)[0]
    counted = len(rows)
    if quote is None:
        fields = [field.strip() for row in rows for field in row if '"' in field]
        halves = [field for field in fields if field.count('"') % 2]
        opened, closed = sum(f[0] == '"' for f in halves), sum(f[-1] == '"' for f in halves)
        if min(opened, closed) > FEW_QUOTED * len(rows):
            return (0.0, 0, 0)
        enclosed = sum(field[0] == field[-1] == '"' and len(field) > 1 for field in fields)
        counted = 0 if enclosed > FEW_QUOTED * len(rows) else len(rows)
    return (count / len(rows) if usual > 1 else 0.0, usual, counted)


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns.

    It does when none of its fields is a number, nor a date above dates, and either some column holds numbers
    or dates below it, or no field turns up again in its own column.
    """
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    names = clean(pl.Series(list(first), dtype=pl.String))
    if to_numbers(names).null_count() < len(names) or names.null_count() == len(names):
        return False
    if not rest:
        return True
    repeated = False
    for place, name in enumerate(first):
        column = clean(pl.Series([row[place] for row in rest], dtype=pl.String))
        values = column.drop_nulls()
        if len(values) and name.strip():
            if to_numbers(values).null_count() < 0.5 * len(values):
                return True
            if datetime_form(values) is not None:  # below a date that is no name, dates say nothing new
                return datetime_form(pl.Series([name.strip()])) is None
            repeated = repeated or name.strip() in values
    return not repeated
