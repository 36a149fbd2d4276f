from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from torchstone.evaluation.evaluate import Evaluation, measure
from torchstone.evaluation.intervals import with_intervals
from torchstone.metrics import ScoredRows
from torchstone.task import Task

BINARY = Task("binary", ("y",), ("no", "yes"))
MULTICLASS = Task("multiclass", ("y",), ("a", "b", "c"))
MULTILABEL = Task("multilabel", ("u", "v"), ("u", "v"))
REGRESSION = Task("regression", ("price", "area"))


def _binary(rows: int = 400, seed: int = 0) -> ScoredRows:
    rng = np.random.default_rng(seed)
    targets = (rng.random(rows) < 0.3).astype(int)
    positive = 1.0 / (1.0 + np.exp(-(rng.normal(-2.0, 1.0, rows) + 1.5 * targets)))
    return ScoredRows(BINARY, targets, positive)


def test_binary_evaluation_survives_json() -> None:
    evaluation = measure(BINARY, _binary(), "val")
    again = Evaluation.from_json(json.loads(json.dumps(evaluation.to_json(), allow_nan=False)))
    assert again.to_json() == evaluation.to_json()
    assert np.sum(evaluation.confusion) == evaluation.rows == 400
    assert [each["support"] for each in evaluation.per_class] == np.sum(evaluation.confusion, axis=1).tolist()
    assert sum(each["rows"] for each in evaluation.calibration) == 400
    for metric in evaluation.metrics.values():
        assert metric["low"] <= metric["value"] <= metric["high"]  # type: ignore[operator]


def test_curves_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    scored = _binary(5000)
    curves = measure(BINARY, scored, "test").curves
    roc, precision_recall = curves["roc"][0], curves["precision_recall"][0]
    assert roc["class"] == "yes"
    assert roc["area"] == pytest.approx(roc_auc_score(scored.targets, scored.outputs[:, 1]))
    assert precision_recall["area"] == pytest.approx(
        average_precision_score(scored.targets, scored.outputs[:, 1])
    )
    false, true, _ = roc_curve(scored.targets, scored.outputs[:, 1], drop_intermediate=False)
    assert len(roc["x"]) <= 200
    assert (roc["x"][0], roc["y"][0], roc["x"][-1], roc["y"][-1]) == (0.0, 0.0, 1.0, 1.0)
    assert np.trapezoid(roc["y"], roc["x"]) == pytest.approx(roc["area"], abs=0.005)
    points = set(zip(false.round(6), true.round(6), strict=True))
    assert set(zip(roc["x"], roc["y"], strict=True)) <= points


def test_thresholds_are_chosen_on_validation_rows_alone() -> None:
    validation = measure(BINARY, _binary(seed=1), "val")
    test = measure(BINARY, _binary(seed=2), "test", validation=validation)
    assert validation.threshold is not None
    assert test.threshold is not None
    names = ["default", "best_f1", "best_balanced_accuracy"]
    for each in (validation, test):
        assert each.threshold is not None
        assert each.threshold["chosen_on"] == "val"
        assert [choice["name"] for choice in each.threshold["choices"]] == names
    chosen = [choice["threshold"] for choice in validation.threshold["choices"]]
    assert [choice["threshold"] for choice in test.threshold["choices"]] == chosen
    default, best, balanced = validation.threshold["choices"]
    grid = validation.threshold["effect"]
    assert best["f1"] >= max(grid["f1"]) > default["f1"]
    assert balanced["balanced_accuracy"] >= max(grid["balanced_accuracy"])
    alone = measure(BINARY, _binary(seed=2), "test").threshold
    assert alone is not None
    assert alone["chosen_on"] is None
    assert len(alone["choices"]) == 1


def test_a_class_without_rows_is_said_and_what_needs_it_is_null() -> None:
    outputs = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.4, 0.5, 0.1]])
    evaluation = measure(MULTICLASS, ScoredRows(MULTICLASS, np.array([0, 1, 0]), outputs), "test")
    assert evaluation.metrics["roc_auc"] == {"value": None, "low": None, "high": None}
    assert evaluation.metrics["accuracy"]["value"] == pytest.approx(2 / 3)
    assert "No row of c" in evaluation.notes[0]
    assert evaluation.confusion == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_outputs_that_are_not_finite_are_said() -> None:
    scored = ScoredRows(Task("regression", ("y",)), np.ones(3), np.array([1.0, np.inf, 2.0]))
    evaluation = measure(scored.task, scored, "val")
    assert evaluation.notes[0].startswith("1 of 3 rows have outputs that are NaN or infinite")
    assert all(metric["value"] is None for metric in evaluation.metrics.values())
    json.dumps(evaluation.to_json(), allow_nan=False)


def test_regression_and_multilabel_have_their_own_parts() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(100.0, 10.0, (700, 2))
    regression = measure(REGRESSION, ScoredRows(REGRESSION, true, true + 1.0), "val")
    assert [each["target"] for each in regression.residuals] == ["price", "area"]
    first: dict[str, Any] = regression.residuals[0]
    assert first["mean"] == pytest.approx(1.0)
    assert sum(first["histogram"]["counts"]) == 700
    assert len(first["points"]["true"]) == 500
    labels = ScoredRows(MULTILABEL, rng.integers(0, 2, (50, 2)), rng.random((50, 2)))
    multilabel = measure(MULTILABEL, labels, "val")
    assert [each["class"] for each in multilabel.per_class] == ["u", "v"]
    assert not multilabel.confusion
    assert multilabel.threshold is None


def test_the_interval_of_a_share_is_about_that_of_theory() -> None:
    rng = np.random.default_rng(0)
    rows = 2000
    targets = rng.integers(0, 2, rows)
    right = rng.random(rows) < 0.8
    scored = ScoredRows(BINARY, targets, np.where(right, targets, 1 - targets) * 0.8 + 0.1)
    accuracy = with_intervals(scored)["accuracy"]
    value, low, high = (accuracy[key] for key in ("value", "low", "high"))
    assert value is not None
    assert low is not None
    assert high is not None
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(value * (1 - value) / rows), rel=0.1)
    assert with_intervals(scored) == with_intervals(scored)


def test_the_interval_of_the_calibration_error_lies_about_its_value() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(20):
        probability = rng.random(500)
        targets = (rng.random(500) < probability).astype(np.int64)
        error = with_intervals(ScoredRows(BINARY, targets, np.stack([1 - probability, probability], 1)))[
            "ece"
        ]
        value, low, high = (float(error[key] or 0) for key in ("value", "low", "high"))
        shares.append((value - low) / (high - low))
    assert 0.35 < np.mean(shares) < 0.65
    assert min(shares) > 0.1


def test_many_rows_take_the_normal_approximation(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchstone.evaluation import intervals

    scored = _binary(3000)
    percentiles = with_intervals(scored)
    monkeypatch.setattr(intervals, "LARGE", 1000)
    for key, metric in with_intervals(scored).items():
        assert metric["low"] == pytest.approx(percentiles[key]["low"], abs=0.02), key
        assert metric["high"] == pytest.approx(percentiles[key]["high"], abs=0.02), key
