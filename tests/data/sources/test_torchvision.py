"""Data sets of torchvision."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from torchstone.config import DataConfig
from torchstone.data import sources
from torchstone.data.target import read_target
from torchstone.errors import DataError


def test_torchvision_needs_a_root_and_a_known_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--root"):
        sources.load("torchvision:FashionMNIST")
    with pytest.raises(DataError, match="FashionMNIST"):
        sources.load("torchvision:FashonMNIST", DataConfig(root=str(tmp_path)))
    with pytest.raises(DataError, match="download=True"):
        sources.load("torchvision:FashionMNIST", DataConfig(root=str(tmp_path)))


def test_published_pictures_in_memory(shared_data: Path) -> None:
    config = DataConfig(root=str(shared_data / "fashion-mnist"))
    samples = sources.load("torchvision:FashionMNIST", config)
    assert samples.features.shape == (70000, 1, 28, 28)
    assert samples.features.dtype == np.uint8
    assert samples.given_split is not None
    assert Counter(samples.given_split.tolist()) == {0: 60000, 2: 10000}
    assert read_target(samples, config).task.classes[:2] == ("T-shirt/top", "Trouser")
