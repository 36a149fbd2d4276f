"""Reading Parquet and Arrow files, whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

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
    first = str(error).strip().split("\n", 1)[0]
    return DataError(
        f"{path} cannot be read as Parquet or Arrow: {first}",
        hint="Is the file complete?",
    )
