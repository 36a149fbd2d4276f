"""Frames, arrays, Parquet and Arrow files, built-in names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

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


def test_arrays_and_tensors() -> None:
    inputs = torch.randn(12, 3, 4, 4)
    samples = sources.load((inputs, torch.arange(12) % 3))
    assert samples.features.shape == (12, 3, 4, 4)
    assert not samples.is_table
    with pytest.raises(DataError, match="12 inputs and 11 targets"):
        sources.load((inputs, np.zeros(11)))
    samples = sources.load((np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 2))
    assert set(samples.kinds.values()) == {"numeric"}


def test_pandas_categories_and_odd_frames() -> None:
    frame = pd.DataFrame({0: pd.Categorical(["b", "a"] * 10), "x": range(0, 40, 2), "y": [0, 1] * 10})
    samples = sources.load(frame)
    assert samples.kinds == {"0": "categorical", "x": "numeric"}
    with pytest.raises(DataError, match="holds List"):
        sources.load(pl.DataFrame({"a": [[1], [2]], "y": [0, 1]}))


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        sources.load(tmp_path / "t.parquet")


def test_built_in_names() -> None:
    digits = sources.load("digits")
    assert digits.features.shape == (1797, 1, 8, 8)
    assert digits.features.dtype == np.uint8
    assert digits.features.max() == 16
    shapes = {
        name: sources.load(name).features.shape for name in ("iris", "wine", "diabetes", "breast-cancer")
    }
    assert shapes == {"iris": (150, 4), "wine": (178, 13), "diabetes": (442, 10), "breast-cancer": (569, 30)}
    iris = sources.load("iris")
    assert read_target(iris, DataConfig()).task.classes == ("setosa", "versicolor", "virginica")
    assert sum(len(part) for part in sources.read_batches("iris", iris.reading, 64)) == 150


def test_torchvision_needs_a_root_and_a_known_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--root"):
        sources.load("torchvision:FashionMNIST")
    with pytest.raises(DataError, match="FashionMNIST"):
        sources.load("torchvision:FashonMNIST", DataConfig(root=str(tmp_path)))
    with pytest.raises(DataError, match="download=True"):
        sources.load("torchvision:FashionMNIST", DataConfig(root=str(tmp_path)))
