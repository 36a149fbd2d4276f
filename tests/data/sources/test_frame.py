"""Frames in memory."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from torchstone.config import DataConfig
from torchstone.data import sources
from torchstone.data.samples import Samples
from torchstone.data.target import read_target
from torchstone.errors import DataError

FRAME = pl.DataFrame(
    {
        "size": [1.5, None, 2.5, 4.0] * 10,
        "colour": ["red", "blue", None, "red"] * 10,
        "good": [True, False, True, True] * 10,
        "y": ["u", "v", "u", "v"] * 10,
    }
)


@pytest.mark.parametrize("form", ["polars", "lazy", "pandas", "arrow", "dict", "parquet", "feather", "pair"])
def test_one_table_in_every_form(tmp_path: Path, form: str) -> None:
    data = {
        "polars": lambda: FRAME,
        "lazy": FRAME.lazy,
        "pandas": lambda: FRAME.to_pandas(),
        "arrow": FRAME.to_arrow,
        "dict": FRAME.to_dict,
        "parquet": lambda: FRAME.write_parquet(tmp_path / "t.parquet") or tmp_path / "t.parquet",
        "feather": lambda: FRAME.write_ipc(tmp_path / "t.feather") or str(tmp_path / "*.feather"),
        "pair": lambda: (FRAME.drop("y"), FRAME["y"]),
    }[form]()
    samples = sources.load(data)
    assert samples.kinds == {"size": "numeric", "colour": "categorical", "good": "boolean"}
    assert samples.features.equals(FRAME.drop("y"))
    assert read_target(samples, DataConfig()).values.tolist() == [0, 1] * 20
    if form != "pair":
        parts = list(sources.read_batches(data, samples.reading, 7, with_target=True))
        assert Samples.joined(parts).features.equals(samples.features)


def test_pandas_categories_and_odd_frames() -> None:
    frame = pd.DataFrame({0: pd.Categorical(["b", "a"] * 10), "x": range(0, 40, 2), "y": [0, 1] * 10})
    samples = sources.load(frame)
    assert samples.kinds == {"0": "categorical", "x": "numeric"}
    with pytest.raises(DataError, match="holds List"):
        sources.load(pl.DataFrame({"a": [[1], [2]], "y": [0, 1]}))
