"""What commands print where there is no terminal: nothing is cut, nothing is repeated, nothing steers."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from torchstone.cli import run
from torchstone.review import pages
from torchstone.review.catalogue import load_catalogue

_FAST = ["--model", "linear", "--epochs", "2"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two classes."""
    folder = tmp_path_factory.mktemp("runs")
    rows = {"age": [row * 7 % 13 for row in range(80)], "income": ["<=50K", ">50K"] * 40}
    pl.DataFrame(rows).write_csv(folder / "people.csv")
    assert run(["train", str(folder / "people.csv"), *_FAST, "--out", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


def _piped(*arguments: str, columns: str = "80") -> str:
    environment = {**os.environ, "COLUMNS": columns, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "torchstone", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=120)
    return done.stdout


def test_an_explanation_in_a_pipe_holds_its_code_line_by_line() -> None:
    """Whatever the width of the terminal that the pipe was started in."""
    mistakes = load_catalogue()
    long = max(mistakes, key=lambda mistake: max(map(len, pages.page(mistake).splitlines())))
    shown = _piped("explain", long.code)
    assert shown.splitlines() == pages.page(long).rstrip().splitlines()
    assert max(map(len, shown.splitlines())) > 80


def test_the_list_of_mistakes_in_a_pipe_is_one_line_each() -> None:
    lines = _piped("explain").splitlines()
    mistakes = load_catalogue()
    assert len(lines) == 1 + len(mistakes)
    for mistake, line in zip(mistakes, lines[1:], strict=True):
        words = line.split()
        assert words[:3] == [mistake.code, mistake.name, mistake.severity]
        assert mistake.title.replace("`", "") in line


def test_an_explanation_on_a_terminal_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", file := Terminal())
    assert run(["explain", "TS101"]) == 0
    plain = re.sub(r"\x1b\[[0-9;]*m|\x1b\]8;.*?\x1b\\", "", file.getvalue())
    assert plain != file.getvalue()
    assert max(map(len, plain.splitlines())) <= 70
    assert "```" not in plain


def test_resume_of_a_finished_run_says_so_in_two_lines(finished: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "torchstone", "resume", str(finished)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stderr.splitlines() == [
        f"{finished} is finished after 2 epochs; nothing was changed. --epochs N trains up to epoch N."
    ]
    assert done.stdout.split() == ["report", f"{finished}/report.html"]


def test_resume_of_a_finished_run_that_trains_longer_shows_its_results(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(finished.parent / "people.csv")
    assert run(["train", data, *_FAST, "--out", str(tmp_path / "run"), "--quiet"]) == 0
    assert run(["resume", str(tmp_path / "run"), "--epochs", "3"]) == 0
    shown = capsys.readouterr().out
    assert "Accuracy" in shown
    assert "Trained 3 epochs" in shown


def test_evaluate_says_which_class_precision_is_of(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", str(finished), "--split", "val"]) == 0
    assert "of the class “>50K”." in capsys.readouterr().out


def test_an_error_message_does_not_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "table.csv"
    path.write_text('"size \x1b[2J",kind\n1,a\n2,b\n3,a\n')
    assert run(["train", str(path), "--target", "siez"]) == 2
    shown = capsys.readouterr().err
    assert "siez" in shown
    assert "\x1b" not in shown


def test_names_of_any_length_are_one_row_each_in_a_pipe(tmp_path: Path) -> None:
    long = "c" * 300
    kinds = [long, "two\nlines", "plain"]
    rows = {"age": [row * 7 % 13 for row in range(120)], "kind": [kinds[row % 3] for row in range(120)]}
    pl.DataFrame(rows).write_csv(tmp_path / "t.csv")
    out = str(tmp_path / "run")
    shown = _piped("train", str(tmp_path / "t.csv"), "--target", "kind", *_FAST, "--out", out)
    evaluated = _piped("evaluate", out)
    assert any(line.startswith(f"{long} ") for line in evaluated.splitlines())
    assert any(line.startswith("two↵lines ") for line in evaluated.splitlines())
    assert f"report   {out}/report.html" in shown
    values = json.loads(_piped("evaluate", out, "--json"))
    assert [row["class"] for row in values["per_class"]] == sorted(kinds)
