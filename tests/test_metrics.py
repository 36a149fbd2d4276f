from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchstone.errors import ConfigError
from torchstone.metrics import METRICS, ScoredRows, compute, compute_draws, known, main_metric
from torchstone.task import Task

BINARY = Task("binary", ("y",), ("no", "yes"))
MULTICLASS = Task("multiclass", ("y",), ("a", "b", "c", "d"))
MULTILABEL = Task("multilabel", ("u", "v", "w"), ("u", "v", "w"))
REGRESSION = Task("regression", ("y",))

SEEDS = st.integers(0, 2**32 - 1)


def _classes(seed: int, task: Task, tied: bool, weighted: bool) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    count, classes = int(rng.integers(8, 60)), len(task.classes)
    targets = np.concatenate([np.arange(classes), rng.integers(0, classes, count)])
    raw = rng.integers(1, 4, (len(targets), classes)) if tied else rng.random((len(targets), classes)) + 1e-3
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    weights = rng.random(len(targets)) + 0.01 if weighted else None
    return targets, probabilities, weights


def _same(found: dict[str, float], expected: dict[str, float]) -> None:
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-6, rel=1e-6), key


def _averages(targets: Any, predicted: Any, weights: Any) -> dict[str, float]:
    from sklearn.metrics import precision_recall_fscore_support

    values = {}
    for average in ("macro", "micro", "weighted"):
        parts = precision_recall_fscore_support(
            targets, predicted, average=average, sample_weight=weights, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), parts[:3], strict=True):
            values[f"{name}_{average}"] = value
    return values


@given(seed=SEEDS, tied=st.booleans(), weighted=st.booleans(), many=st.booleans())
@settings(max_examples=80, deadline=None)
def test_classification_equals_scikit_learn(seed: int, tied: bool, weighted: bool, many: bool) -> None:
    from sklearn import metrics as sk
    from sklearn.preprocessing import label_binarize

    task = MULTICLASS if many else BINARY
    targets, probabilities, weights = _classes(seed, task, tied, weighted)
    weight = {"sample_weight": weights}
    predicted = probabilities.argmax(axis=1) if many else (probabilities[:, 1] > 0.5).astype(int)
    scores = probabilities if many else probabilities[:, 1]
    ranked = label_binarize(targets, classes=range(len(task.classes))) if many else targets
    expected = {
        "accuracy": sk.accuracy_score(targets, predicted, **weight),
        "balanced_accuracy": sk.balanced_accuracy_score(targets, predicted, **weight),
        "matthews_corrcoef": sk.matthews_corrcoef(targets, predicted, **weight),
        "log_loss": sk.log_loss(targets, probabilities, labels=range(len(task.classes)), **weight),
        "roc_auc": sk.roc_auc_score(ranked, scores, average="macro", **weight),
        "average_precision": sk.average_precision_score(ranked, scores, average="macro", **weight),
        "brier": sk.brier_score_loss(targets, scores, **weight),
        **_averages(targets, predicted, weights),
    }
    if not many:
        expected["precision"] = sk.precision_score(targets, predicted, zero_division=0, **weight)
        expected["recall"] = sk.recall_score(targets, predicted, zero_division=0, **weight)
        expected["f1"] = sk.f1_score(targets, predicted, zero_division=0, **weight)
    found = compute(task, targets, probabilities, weights=weights)
    assert set(found) == {*expected, "ece"}
    _same(found, expected)


@given(seed=SEEDS, weighted=st.booleans())
@settings(max_examples=40, deadline=None)
def test_multilabel_equals_scikit_learn(seed: int, weighted: bool) -> None:
    from sklearn import metrics as sk

    rng = np.random.default_rng(seed)
    targets = np.concatenate([[[0, 0, 0], [1, 1, 1]], rng.integers(0, 2, (30, 3))])
    scores = np.round(rng.random(targets.shape) * 0.98 + 0.01, 1 if seed % 2 else 9)
    scores = np.clip(scores, 0.01, 0.99)
    weights = rng.random(len(targets)) + 0.01 if weighted else None
    predicted = (scores > 0.5).astype(int)
    losses = [
        sk.log_loss(targets[:, i], scores[:, i], labels=[0, 1], sample_weight=weights) for i in range(3)
    ]
    expected = {
        "subset_accuracy": sk.accuracy_score(targets, predicted, sample_weight=weights),
        "hamming_loss": sk.hamming_loss(targets, predicted, sample_weight=weights),
        "roc_auc": sk.roc_auc_score(targets, scores, sample_weight=weights),
        "average_precision": sk.average_precision_score(targets, scores, sample_weight=weights),
        "log_loss": float(np.mean(losses)),
        **_averages(targets, predicted, weights),
    }
    found = compute(MULTILABEL, targets, scores, weights=weights)
    assert set(found) == set(expected)
    _same(found, expected)


@given(seed=SEEDS, weighted=st.booleans(), outputs=st.integers(1, 3), whole=st.booleans())
@settings(max_examples=60, deadline=None)
def test_regression_equals_scikit_learn(seed: int, weighted: bool, outputs: int, whole: bool) -> None:
    from sklearn import metrics as sk

    rng = np.random.default_rng(seed)
    targets = rng.normal(1000.0, 3.0, (int(rng.integers(3, 40)), outputs))
    predicted = targets + rng.normal(0.0, 2.0, targets.shape)
    if whole:
        targets, predicted = targets.round(), predicted.round()
    weights = rng.random(len(targets)) + 0.01 if weighted else None
    expected = {
        "rmse": sk.root_mean_squared_error(targets, predicted, sample_weight=weights),
        "mae": sk.mean_absolute_error(targets, predicted, sample_weight=weights),
        "r2": sk.r2_score(targets, predicted, sample_weight=weights),
        "median_absolute_error": sk.median_absolute_error(targets, predicted, sample_weight=weights),
    }
    found = compute(REGRESSION, targets, predicted, weights=weights)
    assert set(found) == set(expected)
    _same(found, expected)


@given(seed=SEEDS, task=st.sampled_from([BINARY, MULTICLASS, MULTILABEL, REGRESSION]))
@settings(max_examples=40, deadline=None)
def test_a_draw_of_counts_equals_the_rows_repeated(seed: int, task: Task) -> None:
    rng = np.random.default_rng(seed)
    if task.kind == "regression":
        targets, outputs = rng.normal(size=30), rng.normal(size=30)
    elif task.kind == "multilabel":
        targets, outputs = rng.integers(0, 2, (30, 3)), rng.random((30, 3))
    else:
        targets, outputs, _ = _classes(seed, task, tied=True, weighted=False)
    counts = rng.multinomial(len(targets), np.full(len(targets), 1 / len(targets)), size=5)
    drawn = compute_draws(ScoredRows(task, targets, outputs), counts)
    for draw, count in enumerate(counts):
        rows = np.repeat(np.arange(len(targets)), count)
        again = compute(task, targets[rows], outputs[rows])
        for key, value in again.items():
            assert drawn[key][draw] == pytest.approx(value, abs=1e-9, nan_ok=True), key


def test_calibration_error_of_two_bins_by_hand() -> None:
    # Four rows of confidence 0.9, three right; two of 0.6, both right: (4 * 0.15 + 2 * 0.4) / 6.
    positive = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.4])
    found = compute(BINARY, np.array([1, 1, 1, 0, 1, 0]), positive, ["ece"])
    assert found["ece"] == pytest.approx((4 * 0.15 + 2 * 0.4) / 6)


def test_the_threshold_moves_predictions_but_not_rankings() -> None:
    targets, positive = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.4, 0.45])
    low, half = (compute(BINARY, targets, positive, threshold=t) for t in (0.35, 0.5))
    assert (low["recall"], half["recall"]) == (1.0, 0.0)
    assert low["roc_auc"] == half["roc_auc"] == 1.0


def test_what_is_not_defined_is_nan() -> None:
    one_class = compute(BINARY, np.ones(3, dtype=int), np.array([0.2, 0.7, 0.9]))
    assert math.isnan(one_class["roc_auc"])
    assert one_class["accuracy"] == pytest.approx(2 / 3)
    nothing = compute(BINARY, np.zeros(0, dtype=int), np.zeros((0, 2)))
    assert all(math.isnan(value) for value in nothing.values())
    diverged = compute(REGRESSION, np.ones(3), np.array([1.0, np.nan, 2.0]))
    assert all(math.isnan(value) for value in diverged.values())
    assert math.isnan(compute(REGRESSION, np.ones(1), np.ones(1))["r2"])


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r'no metric "acuracy"(?s:.*)Did you mean "accuracy"'):
        compute(BINARY, np.array([0, 1]), np.array([0.1, 0.9]), ["acuracy"])
    with pytest.raises(ConfigError, match="it has: rmse, mae"):
        compute(REGRESSION, np.ones(2), np.ones(2), ["accuracy"])


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, MULTILABEL, REGRESSION])
def test_every_task_knows_its_main_metric(task: Task) -> None:
    assert main_metric(task) in known(task)
    assert [key for key in METRICS if key in known(task)] == known(task)
