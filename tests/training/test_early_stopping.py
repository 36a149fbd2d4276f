from __future__ import annotations

import math

import torch

from torchstone.training.early_stopping import Best


def run(values: list[float], *, higher: bool = False, min_delta: float = 0.0) -> tuple[Best, list[bool]]:
    best = Best()
    return best, [best.update(v, higher_is_better=higher, min_delta=min_delta) for v in values]


def test_waits_since_the_last_improvement() -> None:
    best, is_best = run([1.0, 0.8, 0.9, 0.8, 0.85])
    assert is_best == [True, True, False, False, False]
    assert (best.value, best.waited) == (0.8, 3)


def test_higher_is_better() -> None:
    best, is_best = run([0.5, 0.7, 0.6], higher=True)
    assert is_best == [True, True, False]
    assert best.waited == 1


def test_an_improvement_is_a_change_by_more_than_min_delta() -> None:
    best, is_best = run([1.0, 0.9, 0.81], min_delta=0.1)
    # 0.9 is better but no improvement by more than 0.1; 0.81 is one, measured against 1.0
    assert is_best == [True, True, True]
    assert best.waited == 0
    best, _ = run([1.0, 0.95, 0.91], min_delta=0.1)
    assert best.waited == 2
    assert best.value == 0.91


def test_nan_is_never_best() -> None:
    best, is_best = run([math.nan, 1.0, math.nan])
    assert is_best == [False, True, False]
    assert best.value == 1.0
    assert best.waited == 1


def test_infinity_is_beaten_by_a_number() -> None:
    _, is_best = run([math.inf, 1.0])
    assert is_best == [True, True]


def test_weights_are_a_copy() -> None:
    best, weight = Best(), torch.ones(2)
    best.keep({"w": weight}, 1, 10)
    weight.fill_(5)
    assert best.weights["w"].tolist() == [1, 1]
    best.keep({"w": weight}, 2, 20)
    weight.fill_(7)
    assert best.weights["w"].tolist() == [5, 5]
    assert Best(**best.to_json(), weights={}).epoch == 2
