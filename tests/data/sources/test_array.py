"""Arrays and tensors in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from torchstone.data import sources
from torchstone.errors import DataError


def test_arrays_and_tensors() -> None:
    inputs = torch.randn(12, 3, 4, 4)
    samples = sources.load((inputs, torch.arange(12) % 3))
    assert samples.features.shape == (12, 3, 4, 4)
    assert not samples.is_table
    with pytest.raises(DataError, match="12 inputs and 11 targets"):
        sources.load((inputs, np.zeros(11)))
    samples = sources.load((np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 2))
    assert set(samples.kinds.values()) == {"numeric"}
