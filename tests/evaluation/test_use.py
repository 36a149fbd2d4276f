"""A model restored from a run directory, measured, explained and used for prediction."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from torchstone.config import TrainConfig, to_toml
from torchstone.data import sources
from torchstone.data.preprocessing import TargetScaling, fit_preprocessing
from torchstone.data.target import read_target
from torchstone.errors import DataError, RunError, UsageError
from torchstone.evaluation.evaluate import evaluate, model_outputs
from torchstone.evaluation.importance import permutation_importance
from torchstone.evaluation.predict import predict, predict_file
from torchstone.evaluation.restore import Restored, load_weights, restore
from torchstone.models.build import build_model
from torchstone.task import Task

ROWS = 300


def _table(rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    useful, useless = rng.normal(size=rows), rng.normal(size=rows)
    colour = np.array(["red", "green", "blue"])[rng.integers(0, 3, rows)]
    yes = useful + 0.3 * (colour == "red") > 0
    answer = np.where(yes, "yes", "no")
    return pl.DataFrame({"useful": useful, "useless": useless, "colour": colour, "target": answer})


def _made(frame: pl.DataFrame) -> tuple[Restored, Any, Any, Any]:
    """A linear model on a table, set by hand to read the first column, with all that belongs to it."""
    config = TrainConfig()
    samples = sources.load(frame, config.data, config.split)
    target = read_target(samples, config.data)
    preprocessing = fit_preprocessing(samples, np.arange(len(samples)))
    outputs = 1 if target.task.kind == "regression" else 2
    module = build_model("linear", target.task, preprocessing.spec, outputs, {})
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        weight = next(p for p in module.parameters() if p.ndim == 2)
        weight[-1, 0] = 3.0 if outputs == 2 else 1.0
    is_number = target.task.kind == "regression"
    scaling = TargetScaling.fit(target.values, np.arange(len(samples))) if is_number else TargetScaling()
    kind: Any = "values" if is_number else "logits"
    restored = Restored(
        module.eval(), target.task, preprocessing.spec, preprocessing, scaling, kind, config, {}, None
    )
    restored.reading = samples.reading
    return restored, samples, target, preprocessing.encode(samples)


def _saved(restored: Restored, path: Path) -> Path:
    assert restored.reading is not None
    path.mkdir()
    model = {"name": "linear", "arguments": {}, "outputs": 2}
    manifest = {"task": restored.task.to_json(), "model": model, "output_kind": restored.output_kind}
    preprocessing = {
        "features": restored.preprocessing.to_json(),
        "target": {"scaling": restored.target_scaling.to_json()},
        "reading": restored.reading.to_json(),
    }
    (path / "manifest.json").write_text(json.dumps(manifest))
    (path / "preprocessing.json").write_text(json.dumps(preprocessing))
    (path / "config.toml").write_text(to_toml(restored.config))
    save_file(restored.module.state_dict(), path / "model.safetensors")
    return path


def test_a_restored_run_gives_the_same_outputs(tmp_path: Path) -> None:
    made, samples, _, rows = _made(_table())
    again = restore(_saved(made, tmp_path / "run"))
    assert again.task == made.task
    assert not again.module.training
    np.testing.assert_array_equal(
        model_outputs(again, again.preprocessing.encode(samples)), model_outputs(made, rows)
    )


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3, 4), "extra": torch.zeros(1)}, tmp_path / "model.safetensors")
    module = nn.Linear(5, 3)
    before = module.weight.detach().clone()
    with pytest.raises(RunError) as raised:
        load_weights(module, tmp_path / "model.safetensors")
    for part in ("only in the file: extra", "only in the module: bias", "(3, 4) in the file, (3, 5) in the"):
        assert part in str(raised.value)
    assert torch.equal(module.weight, before)
    with pytest.raises(RunError, match="does not exist"):
        load_weights(module, tmp_path / "nothing.safetensors")


def test_evaluation_names_the_worst_rows() -> None:
    restored, samples, target, rows = _made(_table())
    indices = np.arange(100, ROWS)
    evaluation = evaluate(restored, rows, target.values, samples, indices, "test")
    accuracy = evaluation.metrics["accuracy"]["value"]
    assert accuracy is not None
    assert 0.85 < accuracy < 1.0
    losses = [each["loss"] for each in evaluation.worst]
    assert losses == sorted(losses, reverse=True)
    worst = evaluation.worst[0]
    assert worst["target"] != worst["prediction"]
    assert worst["index"] >= 100
    assert worst["place"] == samples.place(worst["index"])
    assert set(worst["features"]) == {"useful", "useless", "colour"}
    json.dumps(evaluation.to_json(), allow_nan=False)


def test_importance_finds_the_column_that_the_model_reads() -> None:
    restored, samples, target, _ = _made(_table())
    found = permutation_importance(restored, samples, target.values, np.arange(ROWS))
    assert next(each["column"] for each in found) == "useful"
    assert found[0]["drop"] > 0.3
    assert {each["column"]: each["drop"] for each in found}["useless"] == 0.0
    assert {each["repeats"] for each in found} == {3}
    assert permutation_importance(restored, samples, target.values, np.arange(ROWS)) == found
    assert permutation_importance(restored, samples, target.values, np.arange(ROWS), seconds=0) == []


def test_predictions_of_a_frame_are_classes_and_probabilities() -> None:
    restored, _, _, _ = _made(_table())
    new = _table(50, seed=1).drop("target")
    frame = predict(restored, new)
    assert frame.columns == ["id", "prediction", "probability_no", "probability_yes"]
    assert frame["id"].to_list() == list(range(1, 51))
    agreed = (frame["prediction"] == "yes") == (frame["probability_yes"] > 0.5)
    assert agreed.all()
    assert predict(restored, new, threshold=0.0)["prediction"].to_list() == ["yes"] * 50


@pytest.mark.parametrize("name", ["PassengerId", "id"])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_the_datas_own_identifiers_stand_beside_the_predictions(
    tmp_path: Path, name: str, ending: str
) -> None:
    restored, _, _, _ = _made(_table().with_columns(pl.Series(name, [f"a{i:05d}" for i in range(ROWS)])))
    own = [f"b{i:05d}" for i in range(300)]
    _table(300, seed=1).with_columns(pl.Series(name, own)).write_csv(tmp_path / "new.csv")
    output = tmp_path / f"predictions{ending}"
    predict_file(restored, str(tmp_path / "new.csv"), output, rows=128)
    frame = pl.read_csv(output) if ending == ".csv" else pl.read_parquet(output)
    assert frame.columns[:2] == (["id", "prediction"] if name == "id" else ["id", name])
    assert frame[name].to_list() == own
    without = predict(restored, _table(5, seed=1))
    assert without["id"].to_list() == [1, 2, 3, 4, 5]


def test_a_regression_predicts_in_the_unit_of_its_target() -> None:
    table = _table().with_columns(target=1000.0 + 50.0 * pl.col("useful"))
    restored, samples, target, rows = _made(table)
    assert restored.task == Task("regression", ("target",))
    frame = predict(restored, table)
    assert frame.columns == ["id", "prediction"]
    raw = restored.module(rows.take(torch.arange(ROWS))).detach().double().numpy()[:, 0]
    expected = float(target.values.mean()) + float(target.values.std()) * raw
    np.testing.assert_allclose(frame["prediction"].to_numpy(), expected, rtol=1e-6)
    evaluation = evaluate(restored, rows, target.values, samples, np.arange(ROWS), "val")
    error = np.sqrt(((expected - table["target"].to_numpy()) ** 2).mean())
    assert evaluation.metrics["rmse"]["value"] == pytest.approx(float(error), rel=1e-4)
    assert evaluation.residuals[0]["target"] == "target"


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"])
def test_a_file_is_streamed_in_its_order(tmp_path: Path, ending: str) -> None:
    restored, _, _, _ = _made(_table())
    new = _table(1000, seed=1).with_columns(more=1)
    new.write_csv(tmp_path / "new.csv")
    output = tmp_path / f"predictions{ending}"
    summary = predict_file(restored, str(tmp_path / "new.csv"), output, rows=128)
    readers = {".csv": pl.read_csv, ".parquet": pl.read_parquet}
    if ending == ".tsv":
        frame = pl.read_csv(output, separator="\t")
    else:
        frame = readers.get(ending, pl.read_ndjson)(output)
    whole = predict(restored, new)
    assert frame["id"].to_list() == whole["id"].to_list()
    assert frame["prediction"].to_list() == whole["prediction"].to_list()
    np.testing.assert_allclose(frame["probability_yes"], whole["probability_yes"], rtol=1e-12)
    assert (summary["rows"], summary["output"], summary["version"]) == (1000, str(output), 1)
    assert sum("more" in note for note in summary["notes"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["new.csv", output.name])


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_fault_late_in_the_file_leaves_what_was_there(tmp_path: Path, ending: str) -> None:
    restored, _, _, _ = _made(_table())
    lines = _table(500, seed=1).write_csv().splitlines()
    lines[400] = "many," + lines[400].split(",", 1)[1]
    (tmp_path / "new.csv").write_text("\n".join(lines) + "\n")
    output = tmp_path / f"predictions{ending}"
    output.write_text("before")
    with pytest.raises(DataError, match="useful") as raised:
        predict_file(restored, str(tmp_path / "new.csv"), output, rows=100)
    assert "new.csv:401" in str(raised.value)
    assert output.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_predicted_or_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    restored, _, _, _ = _made(_table())
    new = _table(5, seed=1)
    with pytest.raises(DataError, match="useful"):
        predict(restored, new.drop("useful"))
    with pytest.raises(UsageError, match=r"cannot be written as \.xlsx"):
        predict_file(restored, new, tmp_path / "predictions.xlsx")
    with pytest.raises(UsageError, match="No such file or directory"):
        predict_file(restored, new, tmp_path / "nowhere" / "predictions.csv")
    with pytest.raises(UsageError, match="No such file or directory"):
        predict_file(restored, new, tmp_path / "nowhere" / "predictions.parquet")
    assert predict_file(restored, new, None)["rows"] == 5
    written = capsys.readouterr().out.splitlines()
    assert written[0] == "id,prediction,probability_no,probability_yes"
    assert len(written) == 6


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_a_full_disk_is_told_alike_for_every_format(ending: str, tmp_path: Path) -> None:
    """A file that the system lets grow no further stands for a full disk."""
    restored, _, _, _ = _made(_table())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(UsageError, match=rf"predictions{ending} cannot be written: File too large\.\s"):
            predict_file(restored, _table(2000, seed=1), tmp_path / f"predictions{ending}", rows=100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())
