from __future__ import annotations

import pytest
import torch

from torchstone.errors import ConfigError
from torchstone.training.precision import autocast, build_scaler, choose_precision

CPU = torch.device("cpu")


def test_auto_is_float32_on_the_cpu() -> None:
    assert choose_precision("auto", CPU) is None
    assert choose_precision("float32", CPU) is None
    assert choose_precision("bfloat16", CPU) is torch.bfloat16


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ConfigError, match="bfloat16"):
        choose_precision("int8", CPU)


def test_autocast_can_be_entered_again_and_again() -> None:
    context, layer = autocast(CPU, torch.bfloat16), torch.nn.Linear(2, 2)
    for _ in range(2):
        with context:
            assert layer(torch.ones(1, 2)).dtype is torch.bfloat16
    assert layer(torch.ones(1, 2)).dtype is torch.float32
    with autocast(CPU, None):
        assert layer(torch.ones(1, 2)).dtype is torch.float32


def test_only_float16_needs_a_scaler() -> None:
    assert build_scaler(CPU, None) is None
    assert build_scaler(CPU, torch.bfloat16) is None
    assert build_scaler(CPU, torch.float16) is not None
