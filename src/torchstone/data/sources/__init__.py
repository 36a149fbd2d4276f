"""Where data comes from: each module of this folder reads one kind of source.

A source has `matches(data)`, which says whether it can read what the user gave, and
`load(data, config, split)`, which gives Samples. A source of tables also has `batches(data, options, rows)`,
which gives raw tables part by part, for prediction. A new file here is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from torchstone.config import DataConfig, SplitConfig
from torchstone.data.conversion import clean
from torchstone.data.reading import Reading
from torchstone.data.samples import Samples
from torchstone.data.tables import RawTable, TextOptions
from torchstone.errors import DataError, did_you_mean

BATCH_ROWS = 65536
"""How many rows are read at once for prediction."""


def load(data: Any, config: DataConfig | None = None, split: SplitConfig | None = None) -> Samples:
    """All samples of what the user gave.

    Args:
        data: a path, a glob or a list of paths of tables; a built-in name such as `digits` or
            `torchvision:FashionMNIST`; a polars, pandas or pyarrow frame; a dict of columns; `(X, y)` arrays.
        config: which columns are what, and how text is read.
        split: the columns by which rows are split, grouped or ordered.

    Raises:
        DataError: it cannot be read; says where and what to do.
    """
    data = data[0] if isinstance(data, list) and len(data) == 1 and isinstance(data[0], str) else data
    source = find_source(data)
    config, split = config or DataConfig(), split or SplitConfig()
    samples: Samples = source.load(data, config, split)
    if not samples.is_table:
        _refuse_columns(samples, config, split)
    return samples


def _refuse_columns(samples: Samples, config: DataConfig, split: SplitConfig) -> None:
    """Raises DataError where options name columns or files of a table, and the samples are pictures."""
    given = [name for name in ("columns", "missing", "test", "val") if getattr(config, name)]
    given += [name for name in ("split_column", "group", "time") if getattr(split, name) is not None]
    own = [] if samples.target is None else samples.target.columns
    if config.target and list(config.target) != own:
        given.insert(0, "target")
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise DataError(
            f"{samples.name} is no table: it has no columns that {flags} could be about.",
            hint="Leave these options out, or give a table.",
        )


def find_source(data: Any) -> ModuleType:
    """The module of this folder that reads what the user gave.

    Raises:
        DataError: none does; says what can be given.
    """
    for source in sources():
        if source.matches(data):
            return source
    if isinstance(data, str):
        names = [name for source in sources() for name in getattr(source, "NAMES", ())]
        raise DataError(
            f'"{data}" is neither a file nor a built-in name.',
            hint=f"{did_you_mean(data, names)} Built in are {', '.join(names)} and torchvision:NAME.".strip(),
        )
    if isinstance(data, tuple | list) and len(data) == 2:
        what = f"a pair of {type(data[0]).__name__} and {type(data[1]).__name__}"
    else:
        what = f"a {type(data).__module__}.{type(data).__qualname__}".replace("builtins.", "")
    raise DataError(
        f"Data cannot be read from {what}.",
        hint="Give a path or glob of CSV, TSV, Parquet or Arrow files, a built-in name such as digits, a "
        "polars, pandas or pyarrow frame, a dict of columns, or a pair (X, y) of arrays.",
    )


def sources() -> list[ModuleType]:
    """The modules of this folder, in the order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{name}") for name in names]


def read_batches(
    data: Any,
    reading: Reading | None,
    rows: int = BATCH_ROWS,
    *,
    with_target: bool = False,
    root: str | None = None,
) -> Iterator[Samples]:
    """New data, read as the training data was, in parts; memory does not grow with the file.

    Rows come in the order given and none is left out. Columns that training did not have are ignored (said in
    the notes of the first part).

    Args:
        data: what `load` takes; the target may be missing.
        reading: how the training table was read; None for pictures and other arrays.
        rows: the most rows of a part.
        with_target: whether the target is needed.
        root: the folder of a torchvision data set.

    Raises:
        DataError: a column is missing, or a value does not fit its column; names file and row.
    """
    data = data[0] if isinstance(data, list) and len(data) == 1 and isinstance(data[0], str) else data
    source = find_source(data)
    if reading is None:
        yield from _array_batches(source, data, rows, with_target, root)
        return
    if not hasattr(source, "batches"):
        raise DataError(
            "The run was trained on a table, this data is none.",
            hint="Give a table with the columns of training.",
        )
    options = TextOptions(reading.separator, reading.encoding, reading.header)
    files: list[str] = []
    told = False
    for table in source.batches(data, options, rows):
        if table.name not in files:
            files.append(table.name)
            told = False
        samples = _like_training(table, reading, with_target, [] if told else [*table.notes], not told)
        told = True
        yield samples


def _array_batches(
    source: ModuleType, data: Any, rows: int, with_target: bool, root: str | None
) -> Iterator[Samples]:
    samples: Samples = source.load(data, DataConfig(root=root), SplitConfig())
    if samples.is_table:
        raise DataError(
            "The run was trained on arrays, this data is a table.", hint="Give an array or a name."
        )
    if with_target and samples.target is None:
        raise DataError(f"{samples.name} has no target.", hint="Give a pair (X, y).")
    for start in range(0, max(len(samples), 1), rows):
        part = slice(start, start + rows)
        yield Samples(
            name=samples.name,
            features=samples.features[part],
            target=None if samples.target is None else samples.target[part],
            files=samples.files,
            file_of=samples.file_of[part],
            row_of=samples.row_of[part],
            given_split=None if samples.given_split is None else samples.given_split[part],
            notes=[] if start else samples.notes,
        )


def _like_training(
    table: RawTable, reading: Reading, with_target: bool, notes: list[str], first: bool
) -> Samples:
    frame = _named_by_place(table, reading)
    extra = [name for name in frame.columns if name not in reading.columns]
    if extra and first:
        notes.append(f"Ignored, since training did not have them: {', '.join(extra)}.")
    features, more = reading.typed(frame, lambda index: f"{table.name}:{int(table.lines[index])}")
    present = [name for name in reading.targets if name in frame.columns]
    if with_target and len(present) < len(reading.targets):
        absent = ", ".join(name for name in reading.targets if name not in present)
        raise DataError(
            f"{table.name} has no column {absent}, the target.",
            hint=did_you_mean(absent, frame.columns) or "Rows without a target are for `torchstone predict`.",
        )
    whole = len(present) == len(reading.targets)
    return Samples(
        name=table.name.rsplit("/", 1)[-1],
        features=features,
        target=pl.DataFrame([clean(frame[name]) for name in present]) if whole else None,
        files=[table.name],
        file_of=np.zeros(len(table.lines), dtype=np.int32),
        row_of=table.lines,
        kinds=dict(reading.kinds),
        reading=reading,
        notes=notes + more,
    )


def _named_by_place(table: RawTable, reading: Reading) -> pl.DataFrame:
    """The frame; without a header its columns are named by their places in the training data."""
    frame = table.frame
    if table.header or frame.columns == list(reading.columns):
        return frame
    for names in (reading.columns, reading.features):
        if frame.width == len(names):
            return frame.rename(dict(zip(frame.columns, names, strict=True)))
    raise DataError(
        f"{table.name} has {frame.width} columns; the training data had {len(reading.columns)}, "
        f"{len(reading.features)} without the target.",
        hint="Without a header the columns must be the same in the same order.",
    )
