"""A run that is stopped goes on as if it had never been: bit for bit, from every kind of step."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import torchstone as ts
from torchstone.cli import run
from torchstone.training.callbacks import TrainContext

Options = dict[str, Any]

# digits: 1,437 training rows, 12 steps an epoch
_DIGITS: Options = {
    "data": "digits",
    "model": "mlp",
    "model_arguments": {"hidden": 32, "dropout": 0.2},
    "epochs": 3,
    "batch_size": 128,
    "scheduler": "cosine",
    "average": "ema",
    "patience": 2,
}
# wine: 142 training rows, 5 steps an epoch
_WINE: Options = {
    "data": "wine",
    "model": "tabm",
    "epochs": 3,
    "batch_size": 32,
    "scheduler": "cosine",
    "patience": 1,
}
RUNS = {"mlp": (_DIGITS, (1, 7, 12, 18, 30)), "tabm": (_WINE, (1, 3, 5, 8, 13))}


class Stop(ts.Callback):
    """Sends a signal to its own process at a step."""

    def __init__(self, step: int, number: int = signal.SIGINT, times: int = 1) -> None:
        self.step, self.number, self.times = step, number, times

    def on_step(self, context: TrainContext) -> None:
        if context.state.step == self.step:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


def train(options: Options, out: Path, *callbacks: ts.Callback) -> ts.Run:
    asked = {key: value for key, value in options.items() if key != "data"}
    return ts.train(
        options["data"], out=str(out), deterministic=True, quiet=True, callbacks=callbacks, **asked
    )


def outcome(path: Path) -> tuple[bytes, pl.DataFrame, dict[str, Any]]:
    """What must be the same: weights, history but for the clock, and the evaluation."""
    history = ts.load(path).history.drop("seconds", "samples_per_second")
    evaluation = json.loads((path / "evaluations" / "val.json").read_text())
    return (path / "model.safetensors").read_bytes(), history, evaluation


def check_same(path: Path, whole: Path) -> None:
    weights, history, evaluation = outcome(path)
    expected_weights, expected_history, expected_evaluation = outcome(whole)
    assert weights == expected_weights
    assert_frame_equal(history, expected_history, check_exact=True)
    assert evaluation == expected_evaluation
    assert json.loads((path / "manifest.json").read_text())["status"] == "finished"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of a run that was never stopped, trained once."""
    folder = tmp_path_factory.mktemp("whole")

    def path_of(name: str) -> Path:
        if not (folder / name).exists():
            train(RUNS[name][0], folder / name)
        return folder / name

    return path_of


@pytest.mark.parametrize(
    ("name", "step"), [(name, step) for name, (_, steps) in RUNS.items() for step in steps]
)
def test_a_stopped_run_ends_with_the_same_bits(
    name: str, step: int, tmp_path: Path, whole: Callable[[str], Path]
) -> None:
    path = tmp_path / "run"
    with pytest.raises(ts.Interrupted) as caught:
        train(RUNS[name][0], path, Stop(step))
    assert caught.value.status == 75
    assert f"after step {step}." in caught.value.message
    assert f"torchstone resume {path}" in (caught.value.hint or "")
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["status"] == "stopped"
    assert [folder.name for folder in (path / "checkpoints").iterdir()] == [str(step)]
    assert not (path / "report.html").exists()
    resumed = ts.resume(path, quiet=True)
    check_same(path, whole(name))
    assert resumed.records == ts.load(path).records


def test_a_run_may_be_stopped_again_and_again(tmp_path: Path, whole: Callable[[str], Path]) -> None:
    path = tmp_path / "run"
    with pytest.raises(ts.Interrupted):
        train(_DIGITS, path, Stop(5))
    for step in (6, 19, 24):
        with pytest.raises(ts.Interrupted, match=f"step {step}"):
            ts.resume(path, quiet=True, callbacks=[Stop(step)])
    ts.resume(path, quiet=True)
    check_same(path, whole("mlp"))


def test_early_stopping_counts_on_after_an_interruption(tmp_path: Path) -> None:
    """The epochs without improvement before the signal count, so that both runs end at the same epoch."""
    options = {**_WINE, "model": "mlp", "epochs": 60, "lr": 0.03, "patience": 3, "scheduler": "none"}
    expected = train(options, tmp_path / "whole")
    last, best = len(expected.records), expected.best["epoch"]
    assert last == best + 3 < 60
    steps_per_epoch = expected.records[0]["step"]
    with pytest.raises(ts.Interrupted):
        train(options, tmp_path / "run", Stop((last - 1) * steps_per_epoch - 2))  # two epochs have waited
    ts.resume(tmp_path / "run", quiet=True)
    check_same(tmp_path / "run", tmp_path / "whole")


def test_a_second_signal_ends_at_once_and_the_run_goes_on(
    tmp_path: Path, whole: Callable[[str], Path]
) -> None:
    path = tmp_path / "run"
    with pytest.raises(ts.Interrupted, match="SIGINT") as caught:
        train(_DIGITS, path, Stop(9, times=2))
    assert f"torchstone resume {path}" in (caught.value.hint or "")
    assert json.loads((path / "manifest.json").read_text())["status"] == "stopped"
    ts.resume(path, quiet=True)
    check_same(path, whole("mlp"))


def test_the_command_line_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run"
    with pytest.raises(ts.Interrupted):
        train(_DIGITS, path, Stop(5))
    assert run(["runs", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["status"] == "stopped"
    assert run(["evaluate", str(path)]) == 1  # there are no final weights yet
    assert f"torchstone resume {path}" in capsys.readouterr().err.replace("\n", "")
    assert run(["resume", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == 3


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run"
    train({**_DIGITS, "epochs": 1}, path)
    before = {item: item.read_bytes() for item in path.rglob("*") if item.is_file()}
    assert run(["resume", str(path)]) == 0
    assert {item: item.read_bytes() for item in path.rglob("*") if item.is_file()} == before
    assert "Traceback" not in capsys.readouterr().err


def test_a_finished_run_is_trained_longer(tmp_path: Path) -> None:
    path = tmp_path / "run"
    train({**_DIGITS, "epochs": 1, "scheduler": "none", "patience": 0}, path)
    longer = ts.resume(path, epochs=2, quiet=True)
    assert [record["epoch"] for record in longer.records] == [1, 2]
    assert "epochs = 2" in (path / "config.toml").read_text()


def test_an_interruption_outside_training_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("torchstone.api.evaluate", interrupt)
    assert run(["evaluate", "runs/churn"]) == 130
    said = "Stopped by SIGINT. Nothing is half written: give the same command again.\n"
    assert capsys.readouterr().err == said


SLOW_MODEL = """
import os, sys, time
from torch import nn

if os.environ.get("WAIT"):
    print("waiting", file=sys.stderr, flush=True)
    time.sleep(120)

class Net(nn.Linear):
    def __init__(self):
        super().__init__(4, 3)
"""


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_sigterm_outside_training_is_said_and_loses_nothing(command: str, tmp_path: Path) -> None:
    """A signal to a real process that has just read its data and builds the model."""
    model, path = tmp_path / "mine.py", tmp_path / "run"
    model.write_text(SLOW_MODEL)
    arguments = ["train", "iris", "--model", f"{model}:Net", "--epochs", "1", "--quiet", "--out", str(path)]
    if command == "evaluate":
        assert run(arguments) == 0
        arguments = ["evaluate", str(path)]
    before = {item: item.read_bytes() for item in path.rglob("*") if item.is_file()}
    process = subprocess.Popen(
        [sys.executable, "-m", "torchstone", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "WAIT": "1"},
    )
    assert process.stderr is not None
    try:
        assert process.stderr.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 143
    assert err == "Stopped by SIGTERM. Nothing is half written: give the same command again.\n"
    assert out == ""
    assert {item: item.read_bytes() for item in path.rglob("*") if item.is_file()} == before
    assert run(arguments) == 0


def test_a_run_that_was_killed_before_it_began_is_in_nobodys_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Killed for good between the first file of the request and the last, the manifest."""
    path = tmp_path / "run"
    arguments = ["train", "iris", "--model", "linear", "--epochs", "1", "--quiet", "--out", str(path)]
    program = (
        "import os, signal, torchstone.flow.record as record\n"
        "record.build_manifest = lambda **_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"from torchstone.cli import run\nrun({arguments!r})"
    )
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (path / "config.toml").exists()
    assert not (path / "manifest.json").exists()
    assert run(["resume", str(path)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "killed before the training began" in said
    assert "Nothing was computed" in said
    (path / "notes.txt").write_text("the user's own")
    assert run(arguments) == 2
    assert (path / "notes.txt").read_text() == "the user's own"
    (path / "notes.txt").unlink()
    assert run(arguments) == 0
    assert "was killed here before its training began" in caplog.text
    assert json.loads((path / "manifest.json").read_text())["status"] == "finished"
    assert not list(path.glob(".*"))


def test_sigterm_ends_a_real_process_with_75(tmp_path: Path) -> None:
    path = tmp_path / "run"
    arguments = ["--model", "mlp", "--epochs", "100000", "--patience", "0", "--out", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "torchstone", "train", "digits", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        log, end = path / "metrics.jsonl", time.monotonic() + 120
        while time.monotonic() < end and not (log.exists() and '"epoch"' in log.read_text()):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 75, err
    assert "Stopped by SIGTERM" in err
    assert f"torchstone resume {path}" in err.replace("\n", "")
    assert "Traceback" not in err
    assert out == ""
    assert json.loads((path / "manifest.json").read_text())["status"] == "stopped"
    assert list(path.glob("checkpoints/*/checksums.json"))
