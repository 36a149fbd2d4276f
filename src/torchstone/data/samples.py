"""Samples: what every data source gives, before anything is split or fitted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from torchstone.data.reading import Reading


@dataclass
class Samples:
    """All samples of a data source, in the order in which they were read.

    Args:
        name: how the data is called in messages, such as `adult.data`.
        features: a table (`polars.DataFrame`, raw columns as read, without the target) or an array
            `(N, *shape)` of pictures or numbers (pictures: uint8, channels first).
        target: the raw target columns `(N, 1 or more)`, or None for data without one (prediction).
        files: the files (or names) that the samples come from.
        file_of: for each sample the index into `files`; int32 `(N,)`.
        row_of: for each sample its line in the file, counted from 1 with the header (a Parquet or array
            sample: its row counted from 1); int64 `(N,)`.
        given_split: for each sample 0 (train), 1 (val), 2 (test) or -1 (to be split), int8 `(N,)`, when the
            data comes split; None when it does not.
        kinds: for a table the kind of each feature column (see `columns.py`), those left out included.
        reading: for a table how its columns were read, to read new data the same way.
        notes: what was found out about the data and must be said, one sentence each.
    """

    name: str
    features: pl.DataFrame | np.ndarray
    target: pl.DataFrame | None
    files: list[str]
    file_of: np.ndarray
    row_of: np.ndarray
    given_split: np.ndarray | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    reading: Reading | None = None
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.row_of)

    @property
    def is_table(self) -> bool:
        """Whether the features are columns of a table."""
        return not isinstance(self.features, np.ndarray)

    def place(self, index: int) -> str:
        """Where a sample was read, such as `adult.data:17`."""
        return f"{self.files[int(self.file_of[index])]}:{int(self.row_of[index])}"

    @classmethod
    def joined(cls, parts: list[Samples]) -> Samples:
        """Parts of one data set, as `read_batches` gives them, as one.

        Args:
            parts: at least one; all with the same columns.
        """
        first = parts[0]
        if len(parts) == 1:
            return first
        files = list(dict.fromkeys(name for part in parts for name in part.files))
        places = [np.array([files.index(name) for name in part.files], dtype=np.int32) for part in parts]
        features: Any = [part.features for part in parts]
        targets: Any = [part.target for part in parts]
        return replace(
            first,
            features=pl.concat(features) if first.is_table else np.concatenate(features),
            target=None if first.target is None else pl.concat(targets),
            files=files,
            file_of=np.concatenate([place[part.file_of] for place, part in zip(places, parts, strict=True)]),
            row_of=np.concatenate([part.row_of for part in parts]),
            given_split=None,
            notes=[note for part in parts for note in part.notes],
        )
