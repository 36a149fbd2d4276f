"""Text tables: CSV, TSV and the like, one file, several, or a glob."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torchstone.config import DataConfig, SplitConfig
from torchstone.data.assembly import file_batches, load_files
from torchstone.data.samples import Samples
from torchstone.data.sources import table_binary
from torchstone.data.tables import RawTable, TextOptions, is_path


def matches(data: Any) -> bool:
    """Whether data is a path, a glob or a list of them, and the first file is not Parquet or Arrow."""
    return is_path(data) and not table_binary.matches(data)


def load(data: Any, config: DataConfig, split: SplitConfig) -> Samples:
    """The samples of the files; separator, quoting, header and encoding are found out, and said.

    Raises:
        DataError: a file is not there, is no text table, or has a ragged row; names file and line.
    """
    return load_files(data, config, split)


def batches(data: Any, options: TextOptions, rows: int) -> Iterator[RawTable]:
    """The tables in parts of at most `rows` rows, as text."""
    yield from file_batches(data, options, rows)
