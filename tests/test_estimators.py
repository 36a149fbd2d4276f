"""ts.Classifier and ts.Regressor where scikit-learn's own estimators are used."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from torch import nn

import torchstone as ts
from torchstone.estimators import EXPECTED_FAILED_CHECKS

SMALL = {"model_arguments": {"hidden": 32, "layers": 1, "dropout": 0.0}, "epochs": 15, "lr": 0.02}


@parametrize_with_checks(
    [ts.Classifier(**SMALL), ts.Regressor(**SMALL)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILED_CHECKS,
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_at_most_six_checks_are_expected_to_fail_and_all_of_them_exist() -> None:
    names = {check.func.__name__ for _, check in estimator_checks_generator(ts.Classifier())}
    assert set(EXPECTED_FAILED_CHECKS) <= names
    assert len(EXPECTED_FAILED_CHECKS) <= 6


@pytest.fixture(scope="module")
def iris() -> tuple[np.ndarray, np.ndarray]:
    return load_iris(return_X_y=True)


@pytest.fixture
def customers() -> tuple[pl.DataFrame, np.ndarray]:
    """A table of numbers, words, dates, yes and no, with missing values."""
    draw = np.random.default_rng(0)
    size, colour = draw.normal(size=300), draw.choice(["red", "green", "blue"], size=300)
    frame = pl.DataFrame(
        {
            "size": [None if place % 11 == 0 else value for place, value in enumerate(size.tolist())],
            "colour": [None if place % 13 == 0 else word for place, word in enumerate(colour.tolist())],
            "day": pl.Series([f"2024-{1 + place % 12:02d}-01" for place in range(300)]).str.to_date(),
            "member": draw.random(300) < 0.5,
            "visits": draw.integers(0, 5, size=300),
        }
    )
    return frame, np.where((colour == "red") | (size > 1.5), "buys", "leaves")


def test_classes_are_those_of_y_whatever_they_are(iris: Any) -> None:
    X, y = iris
    for names in map(np.array, (["setosa", "versicolor", "virginica"], [-1, 5, 20], [2.0, 3.0, 7.0])):
        model = ts.Classifier(epochs=20, random_state=0).fit(X, names[y])
        assert model.classes_.tolist() == names.tolist()
        assert model.classes_.dtype == names.dtype
        assert set(model.predict(X)) <= set(names)
        assert model.score(X, names[y]) > 0.9
        assert np.allclose(model.predict_proba(X).sum(axis=1), 1)


@pytest.mark.slow  # two processes import torch
def test_in_a_pipeline_with_grid_search_over_two_processes(iris: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), ts.Classifier("linear", random_state=0, epochs=10))
    grid = {"classifier__lr": [1e-6, 0.05], "classifier__batch_size": [16]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2, error_score="raise").fit(*iris)
    assert search.best_params_["classifier__lr"] == 0.05
    assert search.best_score_ > 0.8


def test_cross_validation_of_a_regressor() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = ts.Regressor("linear", epochs=15, random_state=0)
    assert cross_val_score(model, X, y, cv=3).mean() > 0.4
    assert np.abs(cross_val_predict(model, X, y, cv=3).mean() - y.mean()) < 10


def test_around_other_estimators() -> None:
    X, y = load_diabetes(return_X_y=True)
    regressor = ts.Regressor("linear", epochs=5, random_state=0)
    model = make_pipeline(
        PolynomialFeatures(2, include_bias=True),  # its column of ones is left out
        TransformedTargetRegressor(regressor, func=np.log, inverse_func=np.exp),
    )
    assert model.fit(X, y).score(X, y) > 0.4


def test_a_clone_has_the_parameters_and_is_not_fitted(iris: Any) -> None:
    model = ts.Classifier("simple", lr=0.02, epochs=2, random_state=3, options={"clip": 1.0}).fit(*iris)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "module_")
    assert np.array_equal(copy.fit(*iris).predict_proba(iris[0]), model.predict_proba(iris[0]))


def test_a_pickled_estimator_predicts_the_same(iris: Any) -> None:
    model = ts.Classifier(epochs=2, random_state=0).fit(*iris)
    restored = pickle.loads(pickle.dumps(model))
    assert np.array_equal(restored.predict_proba(iris[0]), model.predict_proba(iris[0]))


def test_random_state_repeats_and_none_does_not(iris: Any) -> None:
    X, y = iris

    def probabilities(state: Any) -> np.ndarray:
        return ts.Classifier("simple", epochs=1, random_state=state).fit(X, y).predict_proba(X)

    assert np.array_equal(probabilities(1), probabilities(1))
    assert np.array_equal(probabilities(np.random.RandomState(1)), probabilities(np.random.RandomState(1)))
    assert not np.array_equal(probabilities(None), probabilities(None))


def test_training_leaves_torchs_random_state_alone(iris: Any) -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    ts.Classifier("linear", epochs=1, random_state=0).fit(*iris)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_frames_of_words_dates_and_missing_values_just_work(customers: Any, library: str) -> None:
    frame, y = customers
    X = frame if library == "polars" else frame.to_pandas()
    train, test, y_train, y_test = train_test_split(X, y, random_state=0)
    model = ts.Classifier(random_state=0).fit(train, y_train)
    assert model.score(test, y_test) > 0.8
    assert model.feature_names_in_.tolist() == frame.columns
    assert model.n_features_in_ == 5
    unseen = frame.with_columns(colour=pl.lit("violet"))
    assert len(model.predict(unseen if library == "polars" else unseen.to_pandas())) == 300


def test_pandas_and_polars_frames_give_the_same_model(customers: Any) -> None:
    frame, y = customers
    models = [ts.Classifier("linear", epochs=3, random_state=0).fit(X, y) for X in (frame, frame.to_pandas())]
    assert np.array_equal(models[0].predict_proba(frame), models[1].predict_proba(frame.to_pandas()))


def test_a_numeric_frame_is_as_its_array(iris: Any) -> None:
    X, y = iris
    frame = pd.DataFrame(X, columns=["sepal length", "sepal width", "petal length", "petal width"])
    model = ts.Classifier("linear", epochs=3, random_state=0)
    as_array, as_frame = (clone(model).fit(data, y) for data in (X, frame))
    assert np.array_equal(as_array.predict_proba(X), as_frame.predict_proba(frame))
    with pytest.raises(ValueError, match="feature names should match"):
        as_frame.predict(frame[frame.columns[::-1]])


def test_missing_numbers_are_filled_and_marked(iris: Any) -> None:
    X, y = iris[0].copy(), iris[1]
    X[::5, 2] = np.nan
    model = ts.Classifier(epochs=20, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.85
    assert np.isfinite(model.predict_proba(X)).all()
    with pytest.raises(ValueError, match="infinity"):
        model.predict(np.full((1, 4), np.inf))


def test_a_mixed_frame_must_stay_one(customers: Any) -> None:
    frame, y = customers
    model = ts.Classifier("linear", epochs=1).fit(frame, y)
    with pytest.raises(ValueError, match="give a frame"):
        model.predict(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.drop("size"))
    with pytest.raises(ValueError, match="requires y"):
        model.fit(frame, None)
    with pytest.raises(ValueError, match="minimum of 2"):
        model.fit(frame.head(1), y[:1])


def test_a_row_of_weight_zero_is_no_row(iris: Any) -> None:
    X, y = iris
    X = np.vstack([X, 100 + X])
    weights = np.repeat([1.0, 0.0], 150)
    model = ts.Classifier("linear", epochs=3, random_state=0)
    with_zeros = model.fit(X, np.tile(y, 2), sample_weight=weights).predict_proba(X)
    assert np.array_equal(with_zeros, model.fit(X[:150], y).predict_proba(X))


def test_weights_decide_between_contradicting_rows() -> None:
    X, y = np.zeros((40, 1)), np.tile([0, 1], 20)
    X[:, 0] = np.arange(40) // 20
    weights = np.where(y == 1, 9.0, 1.0)
    proba = ts.Classifier("linear", epochs=200, lr=0.05, random_state=0).fit(X, y, weights).predict_proba(X)
    assert np.allclose(proba[:, 1], 0.9, atol=0.03)


def test_early_stopping_holds_rows_out_and_keeps_the_best_epoch(iris: Any) -> None:
    X, y = iris
    model = ts.Classifier("simple", epochs=300, lr=0.05, patience=3, random_state=0).fit(X, y)
    losses = model.history_["val_loss"]
    assert model.n_iter_ == len(losses) < 300
    assert losses.arg_min() == model.n_iter_ - 4
    assert "val_accuracy" in model.history_.columns
    never = ts.Classifier("simple", epochs=3, validation_fraction=0.2, random_state=0).fit(X, y)
    assert never.history_["val_loss"].len() == 3
    assert "val_loss" not in ts.Classifier("simple", epochs=1).fit(X, y).history_.columns


class Net(nn.Module):
    """A module of the user's own, whose constructor asks for what it needs by name."""

    def __init__(self, in_features: int, num_classes: int, hidden: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.layers(inputs)


def test_a_class_of_the_users_own(iris: Any) -> None:
    model = ts.Classifier(Net, model_arguments={"hidden": 24}, epochs=20, lr=0.01, random_state=0).fit(*iris)
    assert type(model.module_) is Net
    assert model.module_.layers[0].out_features == 24
    assert model.score(*iris) > 0.9
    with pytest.raises(ts.ModelError, match="no parameter called depth"):
        ts.Classifier(Net, model_arguments={"depth": 2}).fit(*iris)


def test_a_module_is_copied_and_stays_as_it_was(iris: Any) -> None:
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    model = ts.Classifier(net, optimizer=lambda p: torch.optim.SGD(p, 0.1), epochs=20, random_state=0)
    model.fit(*iris)
    assert model.score(*iris) > 0.9
    assert model.module_ is not net
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_a_module_with_a_wrong_number_of_outputs_is_a_readable_error(iris: Any) -> None:
    with pytest.raises(ts.PreflightError, match="TS"):
        ts.Classifier(nn.Linear(4, 2)).fit(*iris)


def test_pictures_for_a_convolutional_net() -> None:
    digits = load_digits()
    X, y = digits.images.astype(np.uint8)[:400, None], digits.target[:400]
    model = ts.Classifier("convnet", epochs=3, patience=0, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.7


def test_several_numbers_are_predicted_at_once() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = ts.Regressor("linear", epochs=15, random_state=0).fit(X, np.stack([y, -2 * y], axis=1))
    predicted = model.predict(X)
    assert predicted.shape == (len(X), 2)
    assert model.score(X, np.stack([y, -2 * y], axis=1)) > 0.4
    assert abs(predicted[:, 1].mean() + 2 * y.mean()) < 20


def test_losses_by_name() -> None:
    X, y = load_diabetes(return_X_y=True)
    assert ts.Regressor("linear", loss="HuberLoss", epochs=10, random_state=0).fit(X, y).score(X, y) > 0.4
    binary = ts.Classifier("linear", loss="BCEWithLogitsLoss", epochs=10, random_state=0).fit(X, y > 150)
    assert binary.predict_proba(X).shape == (len(X), 2)
    assert binary.score(X, y > 150) > 0.7


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "mpl"}, 'Did you mean .*"mlp"'),
        ({"optimizer": "adm"}, "Did you mean"),
        ({"loss": "MSELoss"}, "no loss for a multiclass task"),
        ({"options": {"clipp": 1.0}}, 'Did you mean "clip"'),
        ({"epochs": 0}, "epochs"),
        ({"optimizer": torch.optim.SGD, "lr": 0.1}, "leave these out"),
    ],
)
def test_a_wrong_parameter_is_told_at_fit(iris: Any, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ts.UsageError, match=message):
        ts.Classifier(**parameters).fit(*iris)


def test_no_file_is_written_and_nothing_is_shown(
    iris: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ts.Classifier(epochs=2).fit(*iris).predict(iris[0])
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    ts.Classifier(epochs=2, verbose=True).fit(*iris)
    assert "epoch" in capfd.readouterr().err
