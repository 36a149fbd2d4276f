"""How numbers become inputs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from torchstone.data.numeric_encoders import NumericColumn


@pytest.mark.filterwarnings("error")
def test_a_number_however_large_is_clipped_to_the_border() -> None:
    column = NumericColumn.fit(pl.Series("x", np.linspace(-1, 1, 50)))
    assert isinstance(column, NumericColumn)
    large = column.encode_numbers(np.array([-1e308, -1e12, 0.0, 1e12, 1e308]))
    assert large.tolist() == [-3.0, -3.0, 0.0, 3.0, 3.0]


@pytest.mark.filterwarnings("error")
def test_a_column_of_the_largest_numbers_is_fitted() -> None:
    column = NumericColumn.fit(pl.Series("x", [-1.7e308, -1e308, 1e308, 1.7e308] * 10))
    assert isinstance(column, NumericColumn)
    assert np.isfinite(column.scale)
