"""Data sets that come with scikit-learn."""

from __future__ import annotations

import numpy as np

from torchstone.config import DataConfig
from torchstone.data import sources
from torchstone.data.target import read_target


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
