"""What `run.predict` gives for a module of the user's own, and how it refuses."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from torchstone.errors import DataError
from torchstone.training.outputs import module_outputs

INPUTS = torch.randn(70, 5, generator=torch.Generator().manual_seed(0))
TARGETS = (INPUTS[:, 0] > 0).long()
NET = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 2))


@pytest.fixture
def expected() -> Tensor:
    with torch.no_grad():
        return NET[2](NET[0](INPUTS))


@pytest.mark.parametrize(
    "data",
    [
        INPUTS,
        INPUTS.numpy(),
        INPUTS.double().numpy(),
        INPUTS.tolist(),
        (INPUTS, TARGETS),
        (INPUTS, TARGETS, torch.ones(70)),
        TensorDataset(INPUTS),
        TensorDataset(INPUTS, TARGETS),
        DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=32),
        [list(row) for row in INPUTS.numpy()],
    ],
    ids=["tensor", "array", "float64", "lists", "pair", "triple", "inputs", "dataset", "loader", "rows"],
)
def test_everything_that_fit_takes_can_be_predicted_in_its_order(data: object, expected: Tensor) -> None:
    NET.train()
    outputs = module_outputs(NET, data)
    assert torch.allclose(outputs, expected, atol=1e-6)
    assert NET.training


def test_no_sample_gives_no_output() -> None:
    assert module_outputs(NET, INPUTS[:0]).shape == (0, 2)


def test_a_module_of_float64_gets_arrays_in_its_own_type() -> None:
    assert module_outputs(nn.Linear(5, 2).double(), INPUTS.numpy()).dtype == torch.float64


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (torch.randn(3, 7), r"weight of shape \(8, 5\) and got an input of shape \(3, 7\)", "trained on"),
        (np.ones((3, 5), int), "wants inputs of dtype float32 and got int64", "trained on"),
        (INPUTS[0], r"outputs \(2,\) for inputs \(5,\)", r"inputs\[None\]"),
        ("data.csv", "not a str", "trained on"),
        (None, "not None", "trained on"),
        (np.array([["a"] * 5]), "not a ndarray of <U1", "trained on"),
        ([[1.0], [1.0, 2.0]], "not a list", "trained on"),
        (pd.DataFrame(INPUTS.numpy()), "not a DataFrame", "to_numpy"),
        (DataLoader(TensorDataset(INPUTS), shuffle=True), "at random", "shuffle=False"),
        (DataLoader(TensorDataset(INPUTS), 32, drop_last=True), "leaves out", "drop_last=False"),
    ],
)
def test_what_cannot_be_predicted_is_refused_with_a_reason(data: object, message: str, hint: str) -> None:
    with pytest.raises(DataError, match=message) as refused:
        module_outputs(NET, data)
    assert refused.value.hint is not None
    assert re.search(hint, refused.value.hint)


def test_outputs_that_cannot_be_joined_are_refused() -> None:
    lstm = nn.LSTM(5, 3, batch_first=True)
    with pytest.raises(DataError, match="gives a tuple"):
        module_outputs(lstm, torch.randn(4, 6, 5))


def test_an_error_of_the_modules_own_code_stays_as_it_is() -> None:
    class Broken(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        module_outputs(Broken(), INPUTS)
