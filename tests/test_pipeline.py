"""DATA to report: what a run promises about its data, its files and its repetition."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

import torchstone as ts
from torchstone.errors import TorchstoneError


def _table(rows: int = 240, seed: int = 0) -> pl.DataFrame:
    """A table with numbers, missing values, categories and dates whose target can be learned."""
    draw = np.random.default_rng(seed)
    size = draw.normal(size=rows)
    colour = draw.choice(["red", "green", "blue"], size=rows)
    height = draw.normal(10, 3, size=rows)
    yes = size + (colour == "red") + draw.normal(scale=0.3, size=rows) > 0.3
    return pl.DataFrame(
        {
            "size": size,
            "height": [None if draw.random() < 0.1 else value for value in height.tolist()],
            "colour": colour,
            "day": [f"2020-01-{1 + i % 28:02d}" for i in range(rows)],
            "bought": np.where(yes, "yes", "no"),
        }
    )


def _artefacts(run: ts.Run) -> dict[str, bytes]:
    """The files that training rows alone may shape."""
    assert run.path is not None
    return {name: (run.path / name).read_bytes() for name in ("preprocessing.json", "model.safetensors")}


def _changed(frame: pl.DataFrame, rows: np.ndarray, seed: int = 1) -> pl.DataFrame:
    """Other feature values, within their kind, in some rows."""
    draw = np.random.default_rng(seed)
    mask = np.zeros(len(frame), dtype=bool)
    mask[rows] = True
    size = frame["size"].to_numpy().copy()
    size[mask] = draw.normal(100, 50, size=mask.sum())
    colour = np.array(frame["colour"].to_list(), dtype="U10")
    colour[mask] = draw.choice(["red", "green", "blue", "violet"], size=mask.sum())
    return frame.with_columns(size=pl.Series(size), colour=pl.Series(colour.tolist()))


@pytest.mark.parametrize("model", ["mlp", "tabm"])
def test_validation_and_test_rows_shape_nothing_with_fixed_epochs(tmp_path: Path, model: str) -> None:
    frame = _table()
    options = {"target": "bought", "model": model, "epochs": 2, "keep": "last", "patience": 0, "quiet": True}
    first = ts.train(frame, out=str(tmp_path / "a"), **options)
    outside = np.concatenate([first.context.split.val, first.context.split.test])
    second = ts.train(_changed(frame, outside), out=str(tmp_path / "b"), **options)
    assert second.context.split.hash == first.context.split.hash
    assert _artefacts(first) == _artefacts(second)


def test_test_rows_change_nothing_with_early_stopping(tmp_path: Path) -> None:
    frame = _table()
    options = {"target": "bought", "model": "mlp", "epochs": 12, "patience": 2, "quiet": True}
    first = ts.train(frame, out=str(tmp_path / "a"), **options)
    second = ts.train(_changed(frame, first.context.split.test), out=str(tmp_path / "b"), **options)
    assert _artefacts(first) == _artefacts(second)
    losses = [record["val_loss"] for record in first.records]
    assert losses == [record["val_loss"] for record in second.records]


def test_training_rows_do_shape_the_run(tmp_path: Path) -> None:
    frame = _table()
    options = {"target": "bought", "model": "mlp", "epochs": 1, "quiet": True}
    first = ts.train(frame, out=str(tmp_path / "a"), **options)
    second = ts.train(_changed(frame, first.context.split.train[:20]), out=str(tmp_path / "b"), **options)
    assert _artefacts(first) != _artefacts(second)


def test_the_run_directory_is_complete_and_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    _table().write_csv(path)
    run = ts.train(str(path), target="bought", model="mlp", epochs=2, out=str(tmp_path / "run"), quiet=True)
    names = {item.name for item in run.directory().iterdir()}
    assert {
        "config.toml",
        "manifest.json",
        "metrics.jsonl",
        "preprocessing.json",
        "findings.json",
        "report.html",
        "model.safetensors",
        "checkpoints",
        "evaluations",
    } <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    manifest = json.loads((run.directory() / "manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["split"]["train"] + manifest["split"]["val"] + manifest["split"]["test"] == 240
    weights = load_file(run.directory() / "model.safetensors")
    assert all(torch.equal(weights[name], tensor) for name, tensor in run.module.state_dict().items())


def test_a_run_repeats_from_its_own_configuration_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    _table().write_csv(path)
    first = ts.train(
        str(path), target="bought", epochs=2, deterministic=True, out=str(tmp_path / "a"), quiet=True
    )
    second = ts.train(config=tmp_path / "a" / "config.toml", out=str(tmp_path / "b"), quiet=True)
    assert _artefacts(first) == _artefacts(second)


def test_evaluate_from_the_directory_equals_evaluate_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    _table().write_csv(path)
    run = ts.train(str(path), target="bought", model="mlp", epochs=2, out=str(tmp_path / "run"), quiet=True)
    in_memory = ts.evaluate(run, "test").metrics
    assert ts.evaluate(tmp_path / "run", "test").metrics == in_memory
    readings = json.loads((tmp_path / "run" / "manifest.json").read_text())["test_readings"]
    assert len(readings) == 2


def test_predictions_of_own_rows_equal_the_evaluation(tmp_path: Path) -> None:
    frame = _table()
    run = ts.train(frame, target="bought", model="mlp", epochs=3, out=str(tmp_path / "run"), quiet=True)
    test = run.context.split.test
    predicted = run.predict(frame)
    right = predicted["prediction"].to_numpy()[test] == frame["bought"].to_numpy()[test]
    assert ts.evaluate(run, "test").metrics["accuracy"]["value"] == pytest.approx(right.mean())
    loaded = ts.load(tmp_path / "run").predict(frame.drop("bought"))
    assert loaded.equals(predicted)


def test_evaluating_changed_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    _table().write_csv(path)
    ts.train(str(path), target="bought", model="linear", epochs=1, out=str(tmp_path / "run"), quiet=True)
    _table(rows=200, seed=3).write_csv(path)
    with pytest.raises(ts.RunError, match="changed"):
        ts.evaluate(tmp_path / "run")
    assert ts.evaluate(tmp_path / "run", data=str(path)).rows == 200


def test_training_leaves_the_random_state_of_the_caller(tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    ts.train("iris", model="linear", epochs=1, out=str(tmp_path / "run"), quiet=True)
    assert torch.equal(torch.rand(3), expected)


def test_a_wrong_request_leaves_no_directory_behind(tmp_path: Path) -> None:
    for wrong in ({"monitor": "acuracy"}, {"optimizer": "adamm"}, {"model": "resnet"}, {"loss": "MSELoss"}):
        with pytest.raises(ts.UsageError):
            ts.train("iris", out=str(tmp_path / "run"), quiet=True, **wrong)
        assert not (tmp_path / "run").exists()


def test_regression_is_told_in_the_units_of_the_target(tmp_path: Path) -> None:
    from sklearn.datasets import load_diabetes

    run = ts.train("diabetes", model="linear", epochs=40, lr=0.05, out=str(tmp_path / "run"), quiet=True)
    assert 40 < run.metrics["rmse"]["value"] < 75
    assert run.records[-1]["val_rmse"] == pytest.approx(run.metrics["rmse"]["value"], rel=0.2)
    frame = pl.from_pandas(load_diabetes(as_frame=True).data)
    assert 50 < run.predict(frame)["prediction"].mean() < 250


def test_plateau_follows_an_accuracy_upwards(tmp_path: Path) -> None:
    arguments = {"patience": 0, "factor": 0.5, "threshold": 1e-4}
    run = ts.train(
        "iris",
        model="mlp",
        epochs=12,
        patience=None,
        monitor="accuracy",
        scheduler="ReduceLROnPlateau",
        scheduler_arguments=arguments,
        out=str(tmp_path / "run"),
        quiet=True,
    )
    values = [record["val_accuracy"] for record in run.records]
    rates = [record["lr"] for record in run.records]
    best, expected = values[0], [rates[0]]
    for value in values[1:-1]:
        better = value > best * (1 + 1e-4)
        best = max(best, value)
        expected.append(expected[-1] * (1.0 if better else 0.5))
    assert values[0] < max(values)
    assert rates[1:] == pytest.approx(expected)


def test_where_the_last_weights_are_kept_no_epoch_is_called_the_best(tmp_path: Path) -> None:
    run = ts.train("iris", model="mlp", epochs=4, keep="last", out=str(tmp_path / "run"), quiet=True)
    assert run.best_epoch is None
    assert run.summary()["kept"] == "last"
    loaded = ts.load(tmp_path / "run")
    assert loaded.best_epoch is None
    report = (tmp_path / "run" / "report.html").read_text()
    lowest = run.history["val_loss"].arg_min() + 1
    assert "best at epoch" not in report
    assert f"The last weights were kept. The validation loss was lowest at epoch {lowest} (" in report
    assert "no epoch was chosen by them" in report


def test_a_run_says_in_a_few_lines_what_it_is(tmp_path: Path) -> None:
    run = ts.train("iris", model="linear", epochs=1, out=str(tmp_path / "run"), quiet=True)
    assert len(repr(run)) < 1500
    assert len(repr(run.evaluations["val"])) < 3000


def test_resume_refuses_an_end_that_lies_behind(tmp_path: Path) -> None:
    out = tmp_path / "run"
    ts.train("iris", model="linear", epochs=3, scheduler="onecycle", out=str(out), quiet=True)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "status": "stopped"}))
    config = (out / "config.toml").read_text()
    with pytest.raises(TorchstoneError, match="--epochs 2: the run is in epoch 3 already"):
        ts.resume(out, epochs=2, quiet=True)
    assert (out / "config.toml").read_text() == config


def test_a_run_that_its_time_limit_ended_goes_on_for_as_long_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = ts.train("iris", model="linear", epochs=3, max_time=1e-9, out=str(out), quiet=True)
    before = len(run.records)
    assert before < 3
    assert len(ts.resume(out, epochs=3, quiet=True).records) > before


def test_callbacks_that_are_none_are_refused_before_anything_is_read() -> None:
    with pytest.raises(ts.ConfigError, match="callbacks: expected a list of callbacks, got 3"):
        ts.train("iris", callbacks=3, quiet=True)  # type: ignore[arg-type]
