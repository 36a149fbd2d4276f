"""Bad input: one clear message, the right status, no traceback, nothing left behind."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import torchstone as ts
from torchstone.cli import run

_FAST = ["--model", "linear", "--epochs", "2"]
_DRAW = random.Random(0)
ROWS = [f"{_DRAW.random():.3f},{_DRAW.random():.3f},{_DRAW.choice(['yes', 'no'])}" for _ in range(80)]
NUMBERS = [f"{_DRAW.random():.3f},{_DRAW.random():.3f},{_DRAW.random():.3f}" for _ in range(80)]


def _table(rows: list[str], header: str = "a,b,y") -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


def _target(rows: list[str], value: str) -> list[str]:
    return [row.rpartition(",")[0] + "," + value for row in rows]


def _with(rows: list[str], line: str) -> bytes:
    """A table whose line 12 is this one."""
    return _table([*rows[:10], line, *rows[10:]])


BAD_FILES: dict[str, tuple[bytes, list[str], list[str]]] = {
    "empty": (b"", [], ["data.csv is empty"]),
    "header only": (b"a,b,y\n", [], ["no rows"]),
    "one class": (_table(_target(ROWS, "yes")), [], ["one class", '"yes"']),
    "target not there": (_table(ROWS, "a,b,outcome"), ["--target", "outcom"], ['Did you mean "outcome"?']),
    "target all missing": (_table(_target(ROWS, "")), [], ["missing in all 80 rows"]),
    "target infinite": (_with(NUMBERS, "0.1,0.2,inf"), [], ["NaN or infinite", "data.csv:12"]),
    "target minus infinite": (_with(NUMBERS, "0.1,0.2,-inf"), [], ["NaN or infinite", "data.csv:12"]),
    "too many fields": (_with(ROWS, "0.1,0.2,yes,4,5"), [], ["line 12", "expected 3 fields", "found 5"]),
    "too few fields": (_with(ROWS, "0.1"), [], ["line 12", "expected 3 fields", "found 1"]),
    "binary": (random.Random(1).randbytes(4000), [], ["binary file"]),
    "mixed types": (_with(ROWS, "abc,0.2,yes"), [], ['Column "a"', "data.csv:12", '"abc"']),
}


def _check_refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """One error on stderr that says what it must, nothing on stdout."""
    shown = capsys.readouterr()
    said = " ".join(shown.err.split())
    assert said.count("error: ") == 1
    assert "Traceback" not in said
    for word in words:
        assert word in said
    assert shown.out == ""
    return said


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_before_anything_is_made(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, flags, words = BAD_FILES[case]
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    flags = flags or ["--target", "y"]
    assert run(["train", str(path), *flags, *_FAST, "--out", str(tmp_path / "run"), "--quiet"]) == 2
    _check_refused(capsys, words)
    assert os.listdir(tmp_path) == ["data.csv"]


def test_rows_without_a_target_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(_with(NUMBERS, "0.1,0.2,nan"))
    assert run(["train", str(path), "--target", "y", *_FAST, "--out", str(tmp_path / "run")]) == 0
    assert "1 of 81 rows have no target and are left out" in " ".join(capsys.readouterr().err.split())


def test_a_folder_or_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "churn.csv").write_bytes(_table(ROWS))
    assert run(["train", str(tmp_path), *_FAST]) == 2
    _check_refused(capsys, ["is a folder", "churn.csv"])
    assert run(["train", str(tmp_path / "chrun.csv"), *_FAST]) == 2
    _check_refused(capsys, ['Did you mean "churn.csv"?'])


@pytest.mark.parametrize(
    "place", ["data.csv", "data.csv/run", "/proc/torchstone", "/proc/torchstone/deep/er"]
)
def test_an_output_folder_that_cannot_be_one(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_bytes(_table(ROWS))
    assert run(["train", "data.csv", "--target", "y", *_FAST, "--out", place, "--quiet"]) == 2
    _check_refused(capsys, [place, "cannot be used for the run", "--out DIR"])
    assert (tmp_path / "data.csv").read_bytes() == _table(ROWS)
    assert os.listdir(tmp_path) == ["data.csv"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_permission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert run(["train", "iris", *_FAST, "--out", str(closed / "run"), "--quiet"]) == 2
    _check_refused(capsys, ["Permission denied", "--out DIR"])


# Damaged runs


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "data.csv").write_bytes(_table(NUMBERS))
    arguments = ["--target", "y", *_FAST, "--out", str(folder / "run"), "--quiet"]
    assert run(["train", str(folder / "data.csv"), *arguments]) == 0
    return folder / "run"


def _cut(name: str, size: int) -> Callable[[Path], None]:
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:size]) and None


def _holds(name: str, text: str) -> Callable[[Path], None]:
    return lambda path: (path / name).write_text(text) and None


def _gone(name: str) -> Callable[[Path], None]:
    return lambda path: (path / name).unlink()


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "manifest cut": (_cut("manifest.json", 200), "manifest.json is damaged"),
    "manifest a list": (_holds("manifest.json", "[]"), "manifest.json is damaged"),
    "manifest without a task": (_holds("manifest.json", "{}"), "manifest.json"),
    "preprocessing gone": (_gone("preprocessing.json"), "preprocessing.json cannot be read"),
    "preprocessing cut": (_cut("preprocessing.json", 300), "preprocessing.json is damaged"),
    "preprocessing empty": (_holds("preprocessing.json", "{}"), "is damaged"),
    "preprocessing a list": (_holds("preprocessing.json", "[]"), "preprocessing.json is damaged"),
    "configuration damaged": (_holds("config.toml", "epochs = ["), "config.toml is not TOML"),
    "log damaged": (_holds("metrics.jsonl", "{]\n"), "metrics.jsonl is damaged in line 1"),
    "evaluation damaged": (_holds("evaluations/val.json", "{"), "evaluate the run again"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_told_as_one(
    damage: str, whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole_run, path)
    spoil, words = DAMAGES[damage]
    spoil(path)
    before = {item: item.read_bytes() for item in path.rglob("*") if item.is_file()}
    data = str(whole_run.parent / "data.csv")
    for arguments in (["evaluate", str(path)], ["predict", str(path), data], ["resume", str(path)]):
        assert run(arguments) in (1, 2)
        said = _check_refused(capsys, [words])
        assert "ts.fit" not in said
    assert {item: item.read_bytes() for item in path.rglob("*") if item.is_file()} == before
    assert run(["runs", str(tmp_path)]) == 0
    assert "None" not in capsys.readouterr().out


@pytest.mark.parametrize("spoil", [_gone("model.safetensors"), _cut("model.safetensors", 60)])
def test_resume_restores_the_weights_of_a_finished_run(
    spoil: Callable[[Path], None], whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole_run, path)
    spoil(path)
    assert run(["evaluate", str(path)]) == 1
    _check_refused(capsys, ["model.safetensors", "torchstone resume", "last checkpoint"])
    assert run(["resume", str(path), "--quiet"]) == 0
    assert (path / "model.safetensors").read_bytes() == (whole_run / "model.safetensors").read_bytes()
    spoil(path)
    shutil.rmtree(path / "checkpoints")
    assert run(["resume", str(path)]) == 1
    _check_refused(capsys, ["model.safetensors", "has no checkpoint"])


def test_a_finished_run_without_checkpoints_is_not_trained_longer(
    whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole_run, path)
    shutil.rmtree(path / "checkpoints")
    before = {item: item.read_bytes() for item in path.rglob("*") if item.is_file()}
    assert run(["resume", str(path), "--epochs", "9"]) == 1
    _check_refused(capsys, ["no checkpoint", "would replace its model"])
    assert {item: item.read_bytes() for item in path.rglob("*") if item.is_file()} == before


def test_a_stopped_run_without_a_whole_checkpoint(
    whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole_run, path)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "status": "stopped", "result": None}))
    for weights in path.glob("checkpoints/*/model.safetensors"):
        weights.write_bytes(weights.read_bytes()[:50])
    assert run(["resume", str(path)]) == 1
    _check_refused(capsys, ["no checkpoint that is whole", "model.safetensors has 50 bytes"])


def test_a_run_of_fit_says_that_it_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs, targets = torch.randn(40, 3), torch.randint(0, 2, (40,))
    net = torch.nn.Linear(3, 2)
    ts.fit(
        net,
        (inputs, targets),
        loss=torch.nn.CrossEntropyLoss(),
        optimizer=torch.optim.Adam,
        epochs=1,
        out=str(tmp_path / "run"),
        quiet=True,
    )
    assert run(["evaluate", str(tmp_path / "run")]) == 1
    _check_refused(capsys, ["ts.fit", "net=net"])


# Predictions


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"a,b\n", "no rows"),
        (b"a,c\n1,2\n", 'no column "b"'),
        (b"a,b\n" + b"0.1,0.2\n" * 30 + b"1,2,3\n", "line 32"),
        (b"a,b\n" + b"0.1,0.2\n" * 30 + b"x,2\n", "new.csv:32"),
    ],
)
def test_predict_prints_nothing_before_an_input_error(
    content: bytes, words: str, whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_bytes(content)
    for output in ([], ["-o", str(tmp_path / "p.csv")], ["-o", str(tmp_path / "p.parquet")]):
        assert run(["predict", str(whole_run), str(tmp_path / "new.csv"), *output]) == 2
        _check_refused(capsys, [words])
    assert os.listdir(tmp_path) == ["new.csv"]


@pytest.mark.parametrize(
    "output", ["/proc/p.csv", "no/p.csv", "p.xyz", "data.csv/p.csv", "data.csv/p.parquet"]
)
def test_predict_to_a_place_that_cannot_be_written(
    output: str, whole_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(whole_run.parent)
    assert run(["predict", str(whole_run), "data.csv", "-o", output]) == 2
    _check_refused(capsys, [output])
    assert sorted(os.listdir()) == ["data.csv", "run"]


def test_predict_to_stdout_tells_of_ignored_columns(
    whole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_bytes(b"a,b,extra\n0.1,0.2,1\n")
    assert run(["predict", str(whole_run), str(tmp_path / "new.csv")]) == 0
    out, err = capsys.readouterr()
    assert "extra" not in out
    assert "extra" in err
    assert run(["predict", str(whole_run), str(tmp_path / "new.csv"), "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("output", ["new.csv", "./sub/../new.csv", "link.csv"])
@pytest.mark.parametrize("data", ["{}/new.csv", "n*.csv"])
def test_predict_never_replaces_its_own_data(
    output: str,
    data: str,
    whole_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.csv").symlink_to("new.csv")
    (tmp_path / "new.csv").write_bytes(b"a,b\n0.1,0.2\n")
    assert run(["predict", str(whole_run), data.format(tmp_path), "-o", output]) == 2
    _check_refused(capsys, [str(Path(output)), "the data itself"])
    assert (tmp_path / "new.csv").read_bytes() == b"a,b\n0.1,0.2\n"
    assert run(["predict", str(whole_run), data.format(tmp_path), "-o", "other.csv"]) == 0


# The user's own model

MODELS = """
import torch
from torch import nn


class Base(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.layer(x)


class FailsInInit(Base):
    def __init__(self, inputs, outputs):
        raise KeyError("no such key")


class FailsInForward(Base):
    def forward(self, x):
        raise ValueError("cannot go forward")


class Flat(Base):
    def forward(self, x):
        return self.layer(x)[:, 0]


class TooFew(Base):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs - 1)


class TooMany(Base):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs + 3)


class Softmax(Base):
    def forward(self, x):
        return torch.softmax(self.layer(x), dim=1)


class WrongInput(Base):
    def __init__(self, inputs, outputs):
        super().__init__(inputs + 1, outputs)


class FailsLater(Base):
    calls = 0

    def forward(self, x):
        FailsLater.calls += 1
        if FailsLater.calls > 6:
            raise ValueError("broke later")
        return self.layer(x)


class FailsInEvaluation(Base):
    def forward(self, x):
        if not self.training:
            raise ValueError("not trained for this")
        return self.layer(x)
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MODELS)
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("FailsInInit", ["mine.py:17", "KeyError", "no such key"]),
        ("FailsInForward", ["mine.py:22", "ValueError", "cannot go forward"]),
        ("Flat", ["TS3", "(32,)"]),
        ("TooFew", ["TS308", "3 outputs"]),
        ("TooMany", ["TS3", "6"]),
        ("Softmax", ["TS301", "softmax"]),
        ("WrongInput", ["TS", "layer", "5"]),
        ("NotThere", ['no class called "NotThere"']),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_the_first_step(
    name: str, words: list[str], models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", f"{models}:{name}", "--batch-size", "32", "--out", str(tmp_path / "run")]
    assert run(["train", "iris", *arguments, "--quiet"]) == 2
    _check_refused(capsys, words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "words"), [("FailsLater", "broke later"), ("FailsInEvaluation", "not trained for this")]
)
def test_a_model_that_fails_in_training_is_told_with_its_line(
    name: str, words: str, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    arguments = ["--model", f"{models}:{name}", "--epochs", "5", "--batch-size", "32", "--out", str(path)]
    assert run(["train", "iris", *arguments, "--quiet"]) == 1
    line = next(n for n, text in enumerate(MODELS.splitlines(), 1) if words in text)
    _check_refused(capsys, [f"mine.py:{line}", f"ValueError: {words}"])
    assert json.loads((path / "manifest.json").read_text())["status"] == "failed"
    assert list(path.glob("checkpoints/*/model.safetensors"))


def test_a_model_that_fails_in_evaluation_is_told_with_its_line(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", f"{models}:Base", "--epochs", "1", "--out", str(tmp_path / "run"), "--quiet"]
    assert run(["train", "iris", *arguments]) == 0
    capsys.readouterr()
    models.write_text(MODELS.replace("return self.layer(x)", 'raise ValueError("changed")', 1))
    assert run(["evaluate", str(tmp_path / "run")]) == 2
    _check_refused(capsys, ["mine.py:12: ValueError: changed"])


# The disk


@contextmanager
def _files_no_larger_than(size: int) -> Iterator[None]:
    """Inside, the system refuses to write a larger file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_final_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The optimizer's state has no room, the weights, half as large, have."""
    arguments = ["train", "digits", "--model", "mlp", "--epochs", "1", "--deterministic", "--quiet"]
    assert run([*arguments, "--out", str(tmp_path / "whole")]) == 0
    weights = load_file(tmp_path / "whole" / "model.safetensors")
    size = (tmp_path / "whole" / "model.safetensors").stat().st_size
    capsys.readouterr()
    with _files_no_larger_than(size + size // 2):
        assert run([*arguments, "--out", str(tmp_path / "full")]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "last checkpoint could not be written" in said
    assert "The trained weights are in" in said
    assert "Traceback" not in said
    kept = load_file(tmp_path / "full" / "model.safetensors")
    assert all(torch.equal(kept[name], tensor) for name, tensor in weights.items())
    manifest = json.loads((tmp_path / "full" / "manifest.json").read_text())
    assert run(["resume", str(tmp_path / "full"), "--quiet"]) == 0
    resumed = json.loads((tmp_path / "full" / "manifest.json").read_text())
    assert resumed["status"] == "finished"
    assert resumed["seconds"] == manifest["seconds"]  # it was measured, not trained again
    assert resumed["result"]["epoch"] == 1
    assert (tmp_path / "full" / "evaluations" / "val.json").is_file()
    assert not (tmp_path / "full" / "checkpoints").exists() or not os.listdir(
        tmp_path / "full" / "checkpoints"
    )


def test_files_have_the_mode_that_the_user_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        assert run(["train", "iris", *_FAST, "--out", str(tmp_path / "run"), "--quiet"]) == 0
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path, mode in modes.items() if mode != 0o644} == set()
