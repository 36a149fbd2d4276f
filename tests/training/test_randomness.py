from __future__ import annotations

import os
import random

import numpy as np
import pytest
import torch

from torchstone.runs.nested import flatten, unflatten
from torchstone.training.randomness import (
    deterministic_operations,
    own_randomness,
    random_states,
    seed_everything,
    set_random_states,
)


def draw() -> tuple[float, float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(())), random.gauss(0, 1)


def test_a_seed_repeats_all_generators() -> None:
    seed_everything(3)
    first = draw()
    seed_everything(3)
    assert draw() == first


def test_states_survive_json_and_tensors() -> None:
    seed_everything(1)
    draw()
    states = unflatten(*flatten(random_states()))
    expected = [draw() for _ in range(3)]
    set_random_states(states)
    assert [draw() for _ in range(3)] == expected


def test_the_users_generators_are_left_alone() -> None:
    seed_everything(5)
    expected = draw()
    seed_everything(5)
    with own_randomness(0, None, torch.device("cpu")):
        inside = draw()
    assert draw() == expected
    assert inside != expected


def test_deterministic_operations_are_restored() -> None:
    before = (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark)
    with deterministic_operations(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] in (":4096:8", ":16:8")
    assert (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark) == before
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    with pytest.raises(ZeroDivisionError), deterministic_operations(True):
        raise ZeroDivisionError
    assert not torch.are_deterministic_algorithms_enabled()


def test_without_it_nothing_changes() -> None:
    with deterministic_operations(False):
        assert not torch.are_deterministic_algorithms_enabled()
