"""Tables in files: found by path, list or glob, and read by what they are, text or binary."""

from __future__ import annotations

import glob
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torchstone.data.binary_reading import is_binary_table, read_binary, stream_binary
from torchstone.data.raw_table import RawTable, TextOptions
from torchstone.data.text_reading import read_text, stream_text
from torchstone.errors import DataError, did_you_mean

__all__ = [
    "RawTable",
    "TextOptions",
    "find_paths",
    "is_path",
    "read_batches_of",
    "read_table",
    "same_columns",
]


def is_path(data: Any) -> bool:
    """Whether `data` is a path, a glob, or a list of them; the files need not be there."""
    if isinstance(data, list | tuple):
        return len(data) > 0 and all(isinstance(item, str | Path) for item in data)
    if isinstance(data, Path):
        return True
    if not isinstance(data, str) or data.startswith("torchvision:"):
        return False
    return glob.has_magic(data) or "/" in data or bool(Path(data).suffix) or Path(data).exists()


def find_paths(
    data: str | Path | list[str | Path] | tuple[str | Path, ...],
) -> list[Path]:
    """The files that a path, a glob or a list of them names; those of a glob in the order of their names.

    Raises:
        DataError: a file is not there (the nearest name is offered), or is a folder.
    """
    items = list(data) if isinstance(data, list | tuple) else [data]
    return [path for item in items for path in _expanded(item)]


def _expanded(item: str | Path) -> list[Path]:
    path = Path(item).expanduser()
    if path.is_dir():
        tables = sorted(
            file.name for file in path.iterdir() if file.suffix.lower() in (".csv", ".tsv", ".parquet")
        )
        raise DataError(
            f"{path} is a folder, not a table.",
            hint=f"Give its files, such as {path / tables[0]}." if tables else "Give a file or a glob.",
        )
    if path.exists():
        return [path]
    if glob.has_magic(str(item)):
        found = [Path(name) for name in sorted(glob.glob(str(path), recursive=True)) if Path(name).is_file()]
        if not found:
            raise DataError(f"No file matches {item}.", hint="Check the folder and the pattern.")
        return found
    folder = path.parent
    if not folder.is_dir():
        raise DataError(f"There is no file {path}: the folder {folder} does not exist.")
    names = sorted(file.name for file in folder.iterdir())
    raise DataError(f"There is no file {path}.", hint=did_you_mean(path.name, names) or None)


def read_table(path: Path, options: TextOptions) -> RawTable:
    """A whole table, text or binary.

    Raises:
        DataError: it cannot be read; says where and what to do.
    """
    try:
        return read_binary(path) if is_binary_table(path) else read_text(path, options)
    except (OSError, EOFError, zlib.error) as error:  # the last two: a damaged gzip file
        raise _unreadable(path, error) from None


def read_batches_of(path: Path, options: TextOptions, rows: int) -> Iterator[RawTable]:
    """A table in parts of at most `rows` rows; memory does not grow with the file."""
    try:
        yield from stream_binary(path, rows) if is_binary_table(path) else stream_text(path, options, rows)
    except (OSError, EOFError, zlib.error) as error:  # the last two: a damaged gzip file
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")


def same_columns(tables: Sequence[RawTable]) -> list[RawTable]:
    """The tables with their columns in the order of the first.

    Raises:
        DataError: a table has other columns; names file and column.
    """
    first = tables[0]
    columns = first.frame.columns
    for table in tables[1:]:
        absent = [name for name in columns if name not in table.frame.columns]
        extra = [name for name in table.frame.columns if name not in columns]
        if absent or extra:
            what = f'no column "{absent[0]}"' if absent else f'a column "{extra[0]}" more'
            raise DataError(
                f"{table.name} has {what}; {first.name} has {len(columns)} columns, "
                f"{table.name} has {table.frame.width}.",
                hint="All files of a table need the same columns.",
            )
    return [replace(table, frame=table.frame.select(columns)) for table in tables]
