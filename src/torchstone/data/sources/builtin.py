"""Data sets that come with scikit-learn, without a download."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from torchstone.config import DataConfig, SplitConfig
from torchstone.data.assembly import assemble
from torchstone.data.samples import Samples
from torchstone.data.sources.array import array_samples
from torchstone.data.tables import RawTable, TextOptions
from torchstone.errors import DataError

NAMES = ("digits", "iris", "wine", "diabetes", "breast-cancer")


def matches(data: Any) -> bool:
    """Whether data is the name of a built-in data set."""
    return isinstance(data, str) and _name(data) in NAMES


def load(data: Any, config: DataConfig, split: SplitConfig) -> Samples:
    """The samples: `digits` are pictures, uint8 `(1797, 1, 8, 8)` of 0 to 16; the others are tables."""
    name = _name(data)
    if name == "digits":
        return _digits()
    return assemble([_table(name)], config, split)


def batches(data: Any, options: TextOptions, rows: int) -> Iterator[RawTable]:
    """A built-in table in parts of at most `rows` rows.

    Raises:
        DataError: `digits`, which is no table.
    """
    name = _name(data)
    if name == "digits":
        raise DataError(
            "The run was trained on a table; digits are pictures.",
            hint="Give a table with the columns of training.",
        )
    table = _table(name)
    for start in range(0, table.frame.height, rows):
        part = slice(start, start + rows)
        yield RawTable(table.name, table.frame[part], table.lines[part])


def _name(data: str) -> str:
    return data.lower().replace("_", "-")


def _digits() -> Samples:
    from sklearn.datasets import load_digits

    digits = load_digits()
    targets = pl.DataFrame({"target": digits.target.astype(np.int64)})
    return array_samples("digits", digits.images.astype(np.uint8)[:, None], targets)


def _table(name: str) -> RawTable:
    from sklearn import datasets

    loaded = getattr(datasets, f"load_{name.replace('-', '_')}")()
    target = pl.Series("target", loaded.target)
    if name != "diabetes":
        target = pl.Series("target", [str(loaded.target_names[index]) for index in loaded.target])
    columns = [
        pl.Series(str(column), np.ascontiguousarray(loaded.data[:, place]))
        for place, column in enumerate(loaded.feature_names)
    ]
    frame = pl.DataFrame([*columns, target])
    return RawTable(name, frame, np.arange(1, frame.height + 1, dtype=np.int64))
