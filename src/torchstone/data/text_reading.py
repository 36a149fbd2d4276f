"""Reading text tables: every row counted, every cell as text, in parts so that a file may exceed memory."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from torchstone.data.dialect import FEW_QUOTED, SEPARATOR_NAMES, Dialect, find_dialect
from torchstone.data.encoding import find_encoding, open_text
from torchstone.data.raw_table import RawTable, TextOptions, check_names, check_not_empty
from torchstone.errors import DataError

_BLOCK = 1 << 23
"""Characters that are read at once."""

_SEPARATORS = {
    "\\t": "\t",
    **{name: character for character, name in SEPARATOR_NAMES.items()},
    "pipe": "|",
}


@dataclass(frozen=True)
class TextFile:
    """A text table that was looked at but not read yet."""

    path: Path
    encoding: str
    dialect: Dialect
    names: list[str]

    @property
    def note(self) -> str:
        """What was found out, in a sentence."""
        separator = self.dialect.separator
        encoding = {
            "utf-8-sig": "UTF-8 with a byte order mark",
            "cp1252": "Windows-1252",
        }
        header = "with a header line"
        if not self.dialect.header:
            last = self.names[-1]
            header = f"without a header line (columns {self.names[0]} to {last})"
        return (
            f"{self.path.name}: {SEPARATOR_NAMES.get(separator, repr(separator))} separated, "
            f"{encoding.get(self.encoding, self.encoding.upper())}, {header}."
        )


def inspect(path: Path, options: TextOptions) -> TextFile:
    """Finds out how a text table is written; what `options` states is not guessed.

    Raises:
        DataError: it is empty, not text, or its columns have no names of their own.
    """
    encoding = _known_encoding(options.encoding) if options.encoding else find_encoding(path)
    try:
        dialect = find_dialect(path, encoding, _separator(options.separator), options.header)
    except UnicodeError as error:
        raise _undecodable(path, encoding, error) from None
    names = [f"column_{place}" for place in range(1, len(dialect.first) + 1)]
    if dialect.header:
        names = [name or place for name, place in zip(dialect.first, names, strict=True)]
        check_names(names, str(path))
    return TextFile(path, encoding, dialect, names)


def _separator(given: str | None) -> str | None:
    if given is None:
        return None
    separator = _SEPARATORS.get(given, given)
    if len(separator) != 1:
        raise DataError(
            f'The separator must be one character, got "{given}".',
            hint='Such as "," or ";" or tab.',
        )
    return separator


def _known_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        raise DataError(
            f'The encoding "{name}" is unknown.',
            hint="Such as utf-8, utf-16, cp1252 or latin-1.",
        ) from None
    return name


def _undecodable(path: Path, encoding: str, error: UnicodeError) -> DataError:
    return DataError(
        f"{path} cannot be read as {encoding}: {error}",
        hint="Leave out --encoding to have it found.",
    )


def read_text(path: Path, options: TextOptions) -> RawTable:
    """A whole text table.

    Raises:
        DataError: it is no text, has no rows, or a row has too few or too many fields (its line is named).
    """
    file = inspect(path, options)
    try:
        frame, lines = _whole(file)
    except DataError:
        plain = _without_quotes(file)
        if plain is None:
            raise
        frame, lines, file = plain
    else:
        if _any_cell(frame, "\n") and (plain := _without_quotes(file)) is not None:
            frame, lines, file = plain  # what looked like cells of several lines are rows
    return check_not_empty(RawTable(str(path), frame, lines, file.dialect, [file.note]))


def _whole(file: TextFile) -> tuple[pl.DataFrame, np.ndarray]:
    parts = list(parts_of(file))
    frame = pl.concat([frame for frame, _ in parts], rechunk=True) if parts else _empty(file)
    return frame, np.concatenate([np.zeros(0, dtype=np.int64), *(lines for _, lines in parts)])


def _empty(file: TextFile) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(file.names, pl.String))


def _without_quotes(file: TextFile) -> tuple[pl.DataFrame, np.ndarray, TextFile] | None:
    """The table once more with quotes as ordinary characters; None where that is not what they are."""
    if file.dialect.quote is None:
        return None
    plain = replace(file, dialect=replace(file.dialect, quote=None))
    try:
        frame, lines = _whole(plain)
    except DataError:
        return None
    field = pl.all().str.strip_chars()
    half = field.str.count_matches('"', literal=True) % 2 == 1
    whole = field.str.contains('^".*"$')
    opened, closed = half & field.str.starts_with('"'), half & field.str.ends_with('"')
    count, begun, ended = (
        frame.select(kind.sum()).sum_horizontal().sum() for kind in (whole, opened, closed)
    )
    return (frame, lines, plain) if max(count, min(begun, ended)) <= FEW_QUOTED * frame.height else None


def _any_cell(frame: pl.DataFrame, text: str) -> bool:
    """Whether a cell holds a text."""
    return any(column.str.contains(text, literal=True).any() for column in frame.iter_columns())


def stream_text(path: Path, options: TextOptions, rows: int) -> Iterator[RawTable]:
    """A text table in parts of at most `rows` rows; memory does not grow with the file."""
    if options.separator is not None and not _fits(path, options):
        options = replace(options, separator=None)
    file = inspect(path, replace(options, encoding=None))
    any_row = False
    for frame, lines in parts_of(file):
        for start in range(0, frame.height, rows):
            any_row = True
            part, part_lines = frame[start : start + rows], lines[start : start + rows]
            yield RawTable(str(path), part, part_lines, file.dialect, [file.note])
    if not any_row:
        check_not_empty(RawTable(str(path), _empty(file), np.zeros(0, dtype=np.int64)))


def _fits(path: Path, options: TextOptions) -> bool:
    """Whether the separator of training divides this file too."""
    stated = inspect(path, replace(options, encoding=None))
    return len(stated.names) > 1 or len(inspect(path, TextOptions(header=options.header)).names) == 1


def parts_of(file: TextFile) -> Iterator[tuple[pl.DataFrame, np.ndarray]]:
    """The rows in the order of the file: frames of text, and the line of each row (int64)."""
    line, rest, first = 1, "", True
    with open_text(file.path, file.encoding) as text:
        while True:
            try:
                read = text.read(_BLOCK)
            except UnicodeError as error:
                raise _undecodable(file.path, file.encoding, error) from None
            block = rest + read
            if read:
                cut = _last_end(block, file.dialect.quote)
                block, rest = block[:cut], block[cut:]
            if block.strip("\n "):
                frame, lines = _parse(file, block, line, skip_first=first and file.dialect.header)
                first = False
                if frame.height:
                    yield frame, lines
            line += block.count("\n")
            if not read:
                return


def _last_end(block: str, quote: str | None) -> int:
    """Where the last whole row of a block ends (0: it holds none)."""
    if quote is None or quote not in block:
        return block.rfind("\n") + 1
    data = np.frombuffer(block.encode("utf-32-le"), dtype=np.uint32)
    outside = (np.cumsum(data == ord(quote), dtype=np.uint8) & 1) == 0
    ends = np.flatnonzero((data == 10) & outside)
    return int(ends[-1]) + 1 if len(ends) else 0


def _parse(
    file: TextFile, block: str, first_line: int, *, skip_first: bool
) -> tuple[pl.DataFrame, np.ndarray]:
    """The rows of a block that begins with a row."""
    scanned = _scan(file, block, first_line)
    if scanned is not None:
        block_bytes, lines = scanned
        frame = _polars(file, block_bytes)
        if frame is not None and frame.height == len(lines):
            start = int(skip_first)
            return frame[start:], lines[start:]
    return _by_rows(file, block, first_line, skip_first)


def _scan(file: TextFile, block: str, first_line: int) -> tuple[bytes, np.ndarray] | None:
    """The block as bytes without blank lines and the line of each row, None when a row is ragged."""
    if not block.endswith("\n"):
        block += "\n"
    data = np.frombuffer(block.encode(), dtype=np.uint8)
    newlines = np.flatnonzero(data == 10)
    ends, separators = newlines, np.flatnonzero(data == ord(file.dialect.separator))
    if file.dialect.quote is not None and file.dialect.quote in block:
        inside = np.cumsum(data == ord(file.dialect.quote), dtype=np.uint8) & 1
        if inside[-1]:
            return None
        ends, separators = (
            newlines[inside[newlines] == 0],
            separators[inside[separators] == 0],
        )
    starts = np.concatenate([[0], ends[:-1] + 1])
    fields = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    kept = np.ones(len(ends), dtype=bool)
    for row in np.flatnonzero((fields == 1) if len(file.names) > 1 else (ends - starts < 2)):
        kept[row] = bool(data[starts[row] : ends[row]].tobytes().strip())
    if (fields[kept] != len(file.names)).any():
        return None
    lines = first_line + np.searchsorted(newlines, starts[kept])
    if not kept.all():
        rows = zip(starts[kept], ends[kept], strict=True)
        return b"".join(data[start : end + 1].tobytes() for start, end in rows), lines
    return data.tobytes(), lines


def _polars(file: TextFile, data: bytes) -> pl.DataFrame | None:
    """The cells of well-formed rows; None when polars sees rows or quotes otherwise."""
    try:
        return pl.read_csv(
            io.BytesIO(data),
            has_header=False,
            schema=dict.fromkeys(file.names, pl.String),
            separator=file.dialect.separator,
            quote_char=file.dialect.quote,
            raise_if_empty=False,
        )
    except pl.exceptions.PolarsError:
        return None


def _by_rows(
    file: TextFile, block: str, first_line: int, skip_first: bool
) -> tuple[pl.DataFrame, np.ndarray]:
    """The rows one by one: slower, but at ease with odd quotes, and it knows the line of a ragged row."""
    reader = csv.reader(
        io.StringIO(block),
        delimiter=file.dialect.separator,
        quoting=csv.QUOTE_NONE if file.dialect.quote is None else csv.QUOTE_MINIMAL,
        skipinitialspace=True,
        strict=True,
    )
    rows: list[list[str]] = []
    lines: list[int] = []
    line = first_line
    try:
        for row in reader:
            if any(field.strip() for field in row):
                if len(row) != len(file.names):
                    raise _ragged(file, row, line)
                rows.append(row)
                lines.append(line)
            line = first_line + reader.line_num
    except csv.Error as error:
        raise DataError(
            f"{file.path}, line {line}: {error}",
            hint="Is a quote opened there and never closed?",
        ) from None
    start = int(skip_first)
    frame = pl.DataFrame(rows[start:], schema=dict.fromkeys(file.names, pl.String), orient="row")
    return frame, np.array(lines[start:], dtype=np.int64)


def _ragged(file: TextFile, row: list[str], line: int) -> DataError:
    separator = SEPARATOR_NAMES.get(file.dialect.separator, file.dialect.separator)
    expected = len(file.names)
    unclosed = any("\n" in field for field in row)
    hint = f"Fields are separated by a {separator}; one that holds a {separator} itself is put in quotes."
    return DataError(
        f"{file.path}, line {line}: expected {expected} fields as in the first line, found {len(row)}.",
        hint="Is a quote opened in this line and never closed?" if unclosed else hint,
    )
