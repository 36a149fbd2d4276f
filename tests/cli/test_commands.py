"""The command line as a user meets it: results on stdout, the rest on stderr, statuses, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from torchstone.cli import COMMANDS, run

_FAST = ["--model", "linear", "--epochs", "2"]


@pytest.fixture(scope="module")
def iris_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "iris"
    assert run(["train", "iris", *_FAST, "--out", str(path), "--quiet"]) == 0
    return path


@pytest.fixture(scope="module")
def iris_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sklearn.datasets import load_iris

    path = tmp_path_factory.mktemp("data") / "flowers.csv"
    pl.from_pandas(load_iris(as_frame=True).frame).write_csv(path)
    return path


def test_help_names_every_command_and_each_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    overview = capsys.readouterr().out
    for command in COMMANDS:
        assert f"│ {command}" in overview
        assert run([command, "--help"]) == 0
        assert f"  torchstone {command}" in capsys.readouterr().out


def test_train_says_what_it_does_on_stderr_and_the_result_on_stdout(
    iris_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", str(iris_csv), "--target", "target", *_FAST, "--out", str(tmp_path / "r")]) == 0
    shown = capsys.readouterr()
    assert "multiclass" in shown.err
    assert "linear" in shown.err
    assert "epoch 2/2" in shown.err
    assert "Accuracy" in shown.out
    assert f"torchstone evaluate {tmp_path / 'r'}" in shown.out.replace("\n", "")


def test_quiet_train_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "digits", *_FAST, "--out", str(tmp_path / "r"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["evaluate", "RUN", "--json"], {"version", "run", "split", "rows", "metrics", "confusion"}),
        (["evaluate", "RUN", "--split", "val", "--json"], {"version", "run", "split", "rows", "metrics"}),
        (["predict", "RUN", "CSV", "-o", "OUT", "--json"], {"version", "run", "data", "output", "rows"}),
        (["runs", "PARENT", "--json"], {"version", "directory", "runs"}),
        (["models", "--json"], {"version", "models"}),
        (["train", "iris", *_FAST, "--out", "OUT", "--json"], {"version", "run", "epochs", "evaluations"}),
    ],
)
def test_json_is_one_document_on_stdout(
    arguments: list[str],
    keys: set[str],
    iris_run: Path,
    iris_csv: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / ("p.csv" if "predict" in arguments else "out")
    places = {"RUN": iris_run, "CSV": iris_csv, "OUT": out, "PARENT": iris_run.parent}
    assert run([str(places.get(word, word)) for word in arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    assert keys <= set(document)


def test_predict_writes_rows_in_order_to_stdout_and_files(
    iris_run: Path, iris_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(iris_run), str(iris_csv)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("id,prediction,probability_")
    assert len(lines) == 151
    assert run(["predict", str(iris_run), str(iris_csv), "-o", str(tmp_path / "p.parquet")]) == 0
    ids = pl.read_parquet(tmp_path / "p.parquet")["id"].to_list()
    assert ids == list(range(ids[0], ids[0] + 150))
    assert "150" in capsys.readouterr().err


def test_a_column_that_is_missing_is_named_and_an_extra_one_is_said(
    iris_run: Path, iris_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pl.read_csv(iris_csv)
    frame.drop("petal width (cm)").write_csv(tmp_path / "less.csv")
    frame.with_columns(colour=pl.lit("red")).write_csv(tmp_path / "more.csv")
    assert run(["predict", str(iris_run), str(tmp_path / "less.csv"), "-o", str(tmp_path / "a.csv")]) == 2
    assert "petal width (cm)" in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()
    assert run(["predict", str(iris_run), str(tmp_path / "more.csv"), "-o", str(tmp_path / "a.csv")]) == 0
    assert "colour" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train"], "No data was given"),
        (["train", "no-such.csv"], "no-such.csv"),
        (["train", "irs"], 'Did you mean "iris"'),
        (["train", "iris", "--epochs", "0"], "--epochs: expected at least 1, got 0"),
        (["train", "iris", "--epochs", "3.5"], '--epochs: Expected a whole number, got "3.5"'),
        (["train", "iris", "--lr", "fast"], '--lr: Expected a number, got "fast"'),
        (["resume", "no/such/run", "--epochs", "2.5"], 'Expected a whole number, got "2.5"'),
        (["train", "digits", "--target", "nope"], "digits is no table"),
        (["train", "digits", "--group", "a", "--missing", "x"], "--missing, --group"),
        (["train", "iris", "--epoch", "3"], "Did you mean --epochs"),
        (["train", "iris", "--monitor", "acuracy"], 'Did you mean "accuracy"'),
        (["train", "iris", "--optimizer", "adm"], 'Did you mean "Adam"'),
        (["train", "iris", "--model", "liner"], 'Did you mean "linear"'),
        (["train", "iris", "--set", "training.lrr=1"], 'Did you mean "training.lr"'),
        (["train", "iris", "--config", "none.toml"], "none.toml"),
        (["train", "iris", "--device", "cudaa"], "--device"),
        (["train", "iris", "--device", "mps"], "Use --device cpu"),
        (["evaluate", "no/such/run"], "is not a run"),
        (["evaluate"], "RUN requires an argument"),
        (["predict", "no/such/run", "x.csv"], "is not a run"),
        (["resume", "no/such/run"], "is not a run"),
        (["runs", "no/such/folder"], "folder"),
        (["nonsense"], "nonsense"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert words in shown.err.replace("\n", " ")
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert list(tmp_path.glob("runs/*")) == []


def test_an_existing_run_is_kept_unless_forced(iris_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (iris_run / "model.safetensors").read_bytes()
    assert run(["train", "iris", *_FAST, "--out", str(iris_run), "--quiet"]) == 2
    assert "--force" in capsys.readouterr().err
    assert (iris_run / "model.safetensors").read_bytes() == before


def test_runs_are_listed_and_sorted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, epochs in (("short", "1"), ("long", "30")):
        arguments = ["--epochs", epochs, "--lr", "0.05", "--out", str(tmp_path / name), "--quiet"]
        assert run(["train", "iris", "--model", "linear", *arguments]) == 0
    capsys.readouterr()
    assert run(["runs", str(tmp_path), "--sort", "log_loss", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"]
    assert [row["name"] for row in listed] == ["long", "short"]
    assert run(["runs", str(tmp_path)]) == 0
    assert "short" in capsys.readouterr().out
    assert run(["runs", str(tmp_path), "--sort", "accurac"]) == 2
    assert 'Did you mean "accuracy"' in capsys.readouterr().err


def test_columns_and_arguments_are_given_as_pairs(
    iris_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--columns", "sepal length (cm)=drop", "--optimizer", "sgd", "--lr", "0.1"]
    arguments += ["--optimizer-arguments", "momentum=0.9", "--optimizer-arguments", "nesterov=true"]
    words = ["train", str(iris_csv), "--target=-1", *_FAST, *arguments, "--out", str(tmp_path / "r")]
    assert run(words) == 0
    assert "sepal length (cm): dropped" in " ".join(capsys.readouterr().err.split())
    text = (tmp_path / "r" / "config.toml").read_text()
    assert "momentum = 0.9" in text
    assert "nesterov = true" in text
