"""Parquet and Arrow (Feather) files, one file, several, or a glob."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torchstone.config import DataConfig, SplitConfig
from torchstone.data.assembly import file_batches, load_files
from torchstone.data.binary_reading import is_binary_table
from torchstone.data.samples import Samples
from torchstone.data.tables import RawTable, TextOptions, is_path


def matches(data: Any) -> bool:
    """Whether data is a path, a glob or a list of them, and the first file is Parquet or Arrow."""
    if not is_path(data):
        return False
    first = str(data[0] if isinstance(data, list | tuple) else data)
    found = sorted(glob.glob(first)) if glob.has_magic(first) and not Path(first).exists() else []
    return is_binary_table(Path(found[0] if found else first))


def load(data: Any, config: DataConfig, split: SplitConfig) -> Samples:
    """The samples of the files; columns keep the types that they are stored with.

    Raises:
        DataError: a file is not there, is damaged, or has columns of lists.
    """
    return load_files(data, config, split)


def batches(data: Any, options: TextOptions, rows: int) -> Iterator[RawTable]:
    """The tables in parts of at most `rows` rows, typed as they are stored."""
    yield from file_batches(data, options, rows)
