"""Frames in memory: polars, pandas, pyarrow and dicts of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from torchstone.config import DataConfig, SplitConfig
from torchstone.data.assembly import assemble
from torchstone.data.samples import Samples
from torchstone.data.tables import RawTable, TextOptions
from torchstone.errors import DataError

_LIBRARIES = ("polars", "pandas", "pyarrow")


def matches(data: Any) -> bool:
    """Whether data is a frame of polars, pandas or pyarrow, or a dict of columns."""
    if isinstance(data, dict):
        return True
    library = type(data).__module__.partition(".")[0]
    return library in _LIBRARIES and type(data).__name__ in ("DataFrame", "LazyFrame", "Table", "RecordBatch")


def load(data: Any, config: DataConfig, split: SplitConfig) -> Samples:
    """The samples of a frame.

    Raises:
        DataError: no rows, two columns of one name, or see `torchstone.data.assembly.assemble`.
    """
    table = to_table(data)
    if not table.frame.height or not table.frame.width:
        raise DataError("The frame has no rows.", hint="Give a frame with at least two rows.")
    return assemble([table], config, split)


def batches(data: Any, options: TextOptions, rows: int) -> Iterator[RawTable]:
    """The frame in parts of at most `rows` rows."""
    table = to_table(data)
    for start in range(0, max(table.frame.height, 1), rows):
        part = table.frame.slice(start, rows)
        yield RawTable(table.name, part, table.lines[start : start + rows], None, table.notes)


def to_table(data: Any, name: str = "frame") -> RawTable:
    """A frame of any kind as a raw table; rows count from 1.

    Raises:
        DataError: it is no frame that can be read.
    """
    try:
        frame = _to_polars(data)
    except (pl.exceptions.PolarsError, TypeError, ValueError, ImportError) as error:
        raise DataError(
            f"The {_kind(data)} cannot be read: {error}", hint="Give flat, equally long columns."
        ) from None
    return RawTable(name, frame, np.arange(1, frame.height + 1, dtype=np.int64))


def _to_polars(data: Any) -> pl.DataFrame:
    if isinstance(data, pl.DataFrame):
        return data
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if isinstance(data, dict):
        return pl.DataFrame({str(key): _column(values) for key, values in data.items()}, strict=False)
    if type(data).__module__.startswith("pandas"):
        return _from_pandas(data)
    frame = pl.from_arrow(data)
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


def _column(values: Any) -> Any:
    """Tensors as arrays, all else as it is."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def _from_pandas(data: Any) -> pl.DataFrame:
    """Column by column: names become strings, NaN becomes null, mixed objects become strings."""
    names = [str(name) for name in data.columns]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f'The frame has {names.count(twice[0])} columns called "{twice[0]}".')
    return pl.DataFrame([_from_pandas_column(data.iloc[:, place], name) for place, name in enumerate(names)])


def _from_pandas_column(column: Any, name: str) -> pl.Series:
    kind = str(column.dtype)
    if kind == "category":
        categories = [str(value) for value in column.cat.categories]
        codes = column.cat.codes.to_numpy()
        values = [None if code < 0 else categories[code] for code in codes]
        return pl.Series(name, values, dtype=pl.Enum(categories) if categories else pl.Null)
    if column.dtype.kind in "biuf" and isinstance(column.dtype, np.dtype):
        series = pl.Series(name, column.to_numpy())
        return series.fill_nan(None) if series.dtype.is_float() else series
    if column.dtype.kind == "M":
        utc = column.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(column.dt, "tz", None) else column
        return pl.Series(name, utc.to_numpy().astype("datetime64[us]"))
    if column.dtype.kind == "m":
        return pl.Series(name, column.to_numpy().astype("timedelta64[us]"))
    missing = column.isna().to_numpy()
    objects = [None if gone else value for value, gone in zip(column.tolist(), missing, strict=True)]
    kinds = {type(value) for value in objects if value is not None}
    if len(kinds) > 1 and not kinds <= {int, float, bool}:
        return pl.Series(name, [None if value is None else str(value) for value in objects], dtype=pl.String)
    return pl.Series(name, objects, strict=False)


def _kind(data: Any) -> str:
    return (
        "dict"
        if isinstance(data, dict)
        else f"{type(data).__module__.partition('.')[0]} {type(data).__name__}"
    )
