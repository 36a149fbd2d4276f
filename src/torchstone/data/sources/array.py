"""Arrays in memory: `(X, y)` of NumPy arrays, tensors or lists, and `X` alone for prediction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from torchstone.config import DataConfig, SplitConfig
from torchstone.data.assembly import assemble
from torchstone.data.samples import Samples
from torchstone.data.sources import frame
from torchstone.data.tables import RawTable, TextOptions, is_path
from torchstone.errors import DataError


def matches(data: Any) -> bool:
    """Whether data is an array or a pair of inputs and targets."""
    if isinstance(data, tuple | list) and len(data) == 2:
        inputs, target = data
        targets = _is_array(target) or _is_column(target) or frame.matches(target) or isinstance(target, list)
        return targets and (_is_array(inputs) or frame.matches(inputs))
    return _is_array(data)


def load(data: Any, config: DataConfig, split: SplitConfig) -> Samples:
    """The samples of arrays: two dimensions are a table of numbers, more are pictures, signals or the like.

    The columns of a table are called `column_1` to `column_n`, the target `target` (or `target_1`, ...).

    Raises:
        DataError: inputs and targets of different lengths, no samples, NaN in an input of more dimensions.
    """
    inputs, target = data if isinstance(data, tuple | list) and len(data) == 2 else (data, None)
    targets = None if target is None else target_columns(target)
    if frame.matches(inputs) or to_array(inputs).ndim == 2:
        return _table_samples(inputs, targets, config, split)
    return array_samples("array", to_array(inputs), targets)


def batches(data: Any, options: TextOptions, rows: int) -> Iterator[RawTable]:
    """The table of numbers (with the target when there is one) in parts of at most `rows` rows."""
    inputs, target = data if isinstance(data, tuple | list) and len(data) == 2 else (data, None)
    table = _input_table(inputs)
    if target is not None:
        table.frame = table.frame.hstack(target_columns(target).get_columns())
    for start in range(0, max(table.frame.height, 1), rows):
        yield RawTable(table.name, table.frame.slice(start, rows), table.lines[start : start + rows])


def array_samples(name: str, inputs: np.ndarray, targets: pl.DataFrame | None) -> Samples:
    """Samples of an array `(N, ...)`: uint8 stays, all else becomes float32.

    Raises:
        DataError: other lengths, no samples, values that are NaN or infinite (samples are named).
    """
    count = len(inputs)
    _require_equal(count, targets)
    if inputs.dtype != np.uint8:
        inputs = inputs.astype(np.float32, copy=False)
        bad = np.flatnonzero(~np.isfinite(inputs.reshape(count, -1)).all(axis=1))
        if len(bad):
            shown = ", ".join(str(index) for index in bad[:5])
            raise DataError(
                f"{len(bad)} of {count} samples hold NaN or infinite values: samples {shown}"
                f"{', ...' if len(bad) > 5 else ''} (counted from 0).",
                hint="Fill these values or leave these samples out.",
            )
    return Samples(
        name=name,
        features=inputs,
        target=targets,
        files=[name],
        file_of=np.zeros(count, dtype=np.int32),
        row_of=np.arange(1, count + 1, dtype=np.int64),
    )


def to_array(values: Any) -> np.ndarray:
    """Tensors (of any device), arrays and nested lists of numbers as an array.

    Raises:
        DataError: they are none, or rows have different lengths.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    if hasattr(values, "toarray"):
        values = values.toarray()
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"The inputs are no array: {error}.", hint="Give rows of equal length.") from None
    if array.dtype.kind not in "biufO":
        raise DataError(
            f"The inputs have dtype {array.dtype}, expected numbers.", hint="Give words as a frame."
        )
    return array


def target_columns(target: Any) -> pl.DataFrame:
    """Targets `(N,)` or `(N, T)` as columns `target` or `target_1` to `target_T`; frames keep theirs."""
    if frame.matches(target):
        return frame.to_table(target).frame
    if _is_column(target):
        name = str(getattr(target, "name", None) or "target")
        values = (
            target if isinstance(target, pl.Series) else frame.to_table(target.to_frame(name)).frame[name]
        )
        return pl.DataFrame([values.alias(name)])
    array = np.asarray(target.detach().cpu()) if hasattr(target, "detach") else np.asarray(target)
    if array.ndim == 2 and array.shape[1] > 1:
        return pl.DataFrame(
            [_series(f"target_{place + 1}", array[:, place]) for place in range(array.shape[1])]
        )
    if array.ndim not in (1, 2):
        raise DataError(f"The targets have shape {array.shape}, expected (N,) or (N, T).")
    return pl.DataFrame([_series("target", array.reshape(-1))])


def _series(name: str, values: np.ndarray) -> pl.Series:
    if values.dtype.kind in "biuf":
        return pl.Series(name, values)
    return pl.Series(
        name, [None if value is None else str(value) for value in values.tolist()], dtype=pl.String
    )


def _table_samples(
    inputs: Any, targets: pl.DataFrame | None, config: DataConfig, split: SplitConfig
) -> Samples:
    table = _input_table(inputs)
    if targets is None:
        raise DataError("There is no target beside the inputs.", hint="Give a pair (X, y).")
    _require_equal(table.frame.height, targets)
    clash = [name for name in targets.columns if name in table.frame.columns]
    if clash:
        raise DataError(f'Inputs and targets both have a column "{clash[0]}".', hint="Rename one of them.")
    kinds = dict.fromkeys(table.frame.columns, "numeric") if _is_array(inputs) else {}
    told = {"target": targets.columns, "columns": {**kinds, **config.columns}}
    return assemble(
        [RawTable(table.name, table.frame.hstack(targets.get_columns()), table.lines)],
        config.model_copy(update=told),
        split,
    )


def _input_table(inputs: Any) -> RawTable:
    if frame.matches(inputs):
        return frame.to_table(inputs)
    array = to_array(inputs)
    if array.ndim != 2:
        raise DataError(f"The inputs have shape {array.shape}, expected a table (N, columns).")
    if array.dtype.kind == "O":
        array = _numbers(array)
    columns = [pl.Series(f"column_{place + 1}", array[:, place]) for place in range(array.shape[1])]
    return RawTable("array", pl.DataFrame(columns), np.arange(1, len(array) + 1, dtype=np.int64))


def _numbers(array: np.ndarray) -> np.ndarray:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The inputs hold more than numbers: {error}.", hint="Give words as a frame."
        ) from None


def _require_equal(count: int, targets: pl.DataFrame | None) -> None:
    if targets is not None and targets.height != count:
        raise DataError(
            f"There are {count} inputs and {targets.height} targets.", hint="Give one target for each input."
        )
    if not count:
        raise DataError("The inputs hold no samples.", hint="Give at least two.")


def _is_array(data: Any) -> bool:
    """Whether data is an array, a tensor, a sparse matrix or a list that holds more than paths."""
    if isinstance(data, list):
        return bool(data) and not is_path(data)
    shaped = hasattr(data, "shape") and (hasattr(data, "__array__") or hasattr(data, "toarray"))
    return shaped and not frame.matches(data) and not _is_column(data)


def _is_column(data: Any) -> bool:
    """Whether data is a series of pandas or polars."""
    return type(data).__name__ == "Series" and type(data).__module__.partition(".")[0] in ("pandas", "polars")
