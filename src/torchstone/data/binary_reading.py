"""Reading Parquet and Arrow files, whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from torchstone.data.encoding import find_encoding
from torchstone.data.raw_table import RawTable, check_flat, check_not_empty
from torchstone.errors import DataError

SUFFIXES = (".parquet", ".pq", ".arrow", ".feather", ".ipc", ".arrows")


def is_binary_table(path: Path) -> bool:
    """Whether a file is Parquet or Arrow, by its name or its first bytes."""
    if path.suffix.lower() in SUFFIXES:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(6).startswith((b"PAR1", b"ARROW1"))


def _scan(path: Path) -> pl.LazyFrame:
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"PAR1"):
        return pl.scan_parquet(path)
    if start == b"ARROW1":
        return pl.scan_ipc(path)
    return pl.read_ipc_stream(path).lazy()


def read_binary(path: Path) -> RawTable:
    """A whole Parquet or Arrow file.

    Raises:
        DataError: it is damaged or is no such file, has no rows, or a column holds lists.
    """
    try:
        frame = _scan(path).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path, error) from None
    lines = np.arange(1, frame.height + 1, dtype=np.int64)
    return check_not_empty(RawTable(str(path), check_flat(frame, str(path)), lines))


def stream_binary(path: Path, rows: int) -> Iterator[RawTable]:
    """A Parquet or Arrow file in parts of at most `rows` rows."""
    try:
        scan = _scan(path)
        count = int(scan.select(pl.len()).collect().item())
        for start in range(0, max(count, 1), rows):
            frame = check_flat(scan.slice(start, rows).collect(), str(path))
            lines = np.arange(start + 1, start + frame.height + 1, dtype=np.int64)
            yield check_not_empty(RawTable(str(path), frame, lines))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> DataError:
    """What is wrong with a file that cannot be read, by what it holds."""
    if isinstance(error, OSError) and error.errno is not None:
        return DataError(f"{path} cannot be read: {error.strerror}.")
    if (held := _held(path)) is not None:
        return held
    return DataError(
        f"{path} cannot be read as Parquet or Arrow: it is damaged or cut off.",
        hint=f"Make or copy it anew ({str(error).strip().splitlines()[0]})." if str(error).strip() else None,
    )


def _held(path: Path) -> DataError | None:
    """The error for a file that holds something else than its name says; None where it does not."""
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith((b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")):
        return None
    try:
        find_encoding(path)
    except DataError as other:  # empty, or binary: says which
        message = other.message.replace("not a text table", "not Parquet or Arrow")
        return DataError(message, hint="Give a Parquet or Arrow file, or a text table.")
    return DataError(
        f"{path} holds text, not what its name says ({path.suffix}).",
        hint="If it is a table, give it a name that ends in .csv.",
    )
