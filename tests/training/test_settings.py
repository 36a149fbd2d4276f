from __future__ import annotations

import pytest

from torchstone.errors import ConfigError
from torchstone.training.settings import Settings


def test_defaults_are_valid() -> None:
    assert Settings().accumulate == 1


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0},
        {"epochs": 2.5},
        {"accumulate": True},
        {"clip": -1.0},
        {"clip": float("nan")},
        {"max_time": 0},
        {"patience": -1},
        {"min_delta": -0.1},
        {"average_decay": 1.0},
        {"log_every": 0},
        {"keep": "first"},
        {"precision": "int8"},
    ],
)
def test_a_value_out_of_range_is_named(values: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        Settings(**values)


def test_all_problems_are_told_at_once_and_the_nearest_choice_is_offered() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(epochs=0, average="eman", clip=0)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "epochs" in message
    assert "clip" in message
    assert 'Did you mean "ema"' in message
