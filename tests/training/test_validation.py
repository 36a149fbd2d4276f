from __future__ import annotations

import pytest
import torch

from torchstone.errors import ConfigError, TrainingError
from torchstone.training import validation
from torchstone.training.validation import Gathered


@pytest.mark.parametrize("samples", [10, None, 7])
def test_outputs_and_targets_come_in_order(samples: int | None) -> None:
    outputs, targets = torch.randn(10, 3), torch.arange(10)
    gathered = Gathered(samples)
    for x, y in zip(outputs.split(4), targets.split(4), strict=True):
        gathered.add(x, y)
    a, b = gathered.finish()
    assert torch.equal(a, outputs)
    assert torch.equal(b, targets)


def test_fewer_samples_than_said() -> None:
    gathered = Gathered(10)
    gathered.add(torch.ones(4, 2), torch.ones(4))
    assert [len(part) for part in gathered.finish()] == [4, 4]


def test_half_precision_becomes_float32() -> None:
    gathered = Gathered(2)
    gathered.add(torch.ones(2, 3, dtype=torch.bfloat16), torch.ones(2))
    assert gathered.finish()[0].dtype is torch.float32


@pytest.mark.parametrize("samples", [1000, None])
def test_memory_is_bounded(samples: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_MOST_BYTES", 1000)
    gathered = Gathered(samples)
    with pytest.raises(TrainingError, match="GiB"):
        gathered.add(torch.ones(500, 2), torch.ones(500))


def test_only_tensors_can_be_gathered() -> None:
    with pytest.raises(ConfigError, match="tuple"):
        Gathered(None).add((torch.ones(1),), torch.ones(1))
