"""What scikit-learn users give as X, checked as scikit-learn does, and read as `ts.train` reads a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import polars as pl
from sklearn.utils.validation import validate_data

from torchstone.config import DataConfig
from torchstone.data import sources
from torchstone.data.reading import Reading
from torchstone.data.samples import Samples
from torchstone.data.sources import frame
from torchstone.errors import DataError


def is_mixed(X: Any) -> bool:
    """Whether X is a frame with columns that are no numbers, which scikit-learn cannot turn into an array."""
    if not hasattr(X, "columns") or not frame.matches(X):
        return False
    return not all(dtype.is_numeric() for dtype in _polars(X).dtypes)


def checked(estimator: Any, X: Any, *, mixed: bool, fitting: bool) -> Any:
    """X after scikit-learn's checks: an array, or for mixed columns a polars frame.

    Sets (or compares with) the estimator's `n_features_in_` and `feature_names_in_`.

    Args:
        estimator: whose X it is.
        X: arrays and frames as scikit-learn takes them.
        mixed: whether the estimator is fitted on a frame with columns that are no numbers.
        fitting: whether X is for `fit`.

    Raises:
        ValueError: X is not what it must be, in scikit-learn's words.
    """
    least = 2 if fitting else 1
    if not mixed:
        return validate_data(
            estimator,
            X,
            reset=fitting,
            dtype="numeric",
            ensure_all_finite="allow-nan",
            allow_nd=True,
            ensure_min_samples=least,
        )
    if not hasattr(X, "columns"):
        raise ValueError("It was fitted on a frame with columns that are no numbers; give a frame.")
    validate_data(estimator, X, reset=fitting, skip_check_array=True)
    table = _polars(X)
    if table.height < least:
        raise ValueError(f"Found {table.height} sample(s), while a minimum of {least} is required.")
    return table


def training_samples(X: Any, targets: np.ndarray, names: Any) -> Samples:
    """Checked X with numeric targets as the samples that the first stages of a training take.

    Args:
        X: what `checked` gave.
        targets: `(N,)` or `(N, T)`.
        names: the names of the columns of an array; None for `x0`, `x1` ...

    Raises:
        ValueError: there is nothing to learn from.
    """
    if isinstance(X, np.ndarray) and X.ndim > 2:
        return _read(lambda: sources.load((X, targets)))
    table = named(X, names)
    columns = {column.name: "numeric" for column in table.get_columns() if column.dtype.is_numeric()}
    called = "target"
    while any(name.startswith(called) for name in table.columns):
        called += "_"
    flat = targets.reshape(len(targets), -1)
    target = pl.DataFrame({f"{called}{place}": flat[:, place] for place in range(flat.shape[1])})
    return _read(lambda: sources.load((table, target), DataConfig(columns=columns)))


def new_samples(X: Any, reading: Reading | None) -> Samples:
    """Checked X of `predict`, read as the training table was.

    Raises:
        ValueError: a value does not fit its column.
    """
    data = X if reading is None else named(X, reading.features)
    return _read(lambda: Samples.joined(list(sources.read_batches(data, reading))))


def named(X: Any, names: Any) -> pl.DataFrame:
    """An array `(N, F)` as a frame; a frame as it is."""
    if isinstance(X, pl.DataFrame):
        return X
    known = [f"x{place}" for place in range(X.shape[1])] if names is None else [str(name) for name in names]
    return pl.DataFrame({name: np.ascontiguousarray(X[:, place]) for place, name in enumerate(known)})


def _polars(X: Any) -> pl.DataFrame:
    with as_value_errors():
        return frame.to_table(X).frame


def _read(load: Any) -> Samples:
    with as_value_errors():
        samples: Samples = load()
    return samples


@contextmanager
def as_value_errors() -> Iterator[None]:
    """Inside, what is wrong with data is a ValueError, as everywhere in scikit-learn."""
    try:
        yield
    except DataError as error:
        raise ValueError(str(error)) from error
