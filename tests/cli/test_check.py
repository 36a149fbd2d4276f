"""`torchstone check` and `explain` as a user meets them: streams, statuses, flags."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from torchstone.cli import run
from torchstone.cli.checking import CheckFlags, names_of, parse

PROGRAM = """\
import torch
from torch import nn

net = nn.Sequential(nn.Linear(10, 3), nn.Softmax(dim=1))
criterion = nn.CrossEntropyLoss()
loss = criterion(net(x), y)
a = 1  # torchstone: ignore[TS101]
"""
MENDED = PROGRAM.replace("  # torchstone: ignore[TS101]", "")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    (tmp_path / "a.py").write_text(PROGRAM, encoding="utf-8")
    return tmp_path


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def test_findings_go_to_stdout_and_make_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "a.py"]) == 1
    shown = capsys.readouterr()
    assert "error[TS301]" in shown.out
    assert "Found 1 error and 1 warning in 1 file. --fix mends 1." in shown.out
    assert shown.err == ""


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ([], 1),
        (["--exit-zero"], 0),
        (["--fail-on", "warning"], 1),
        (["--select", "unused-ignore", "--fail-on", "error"], 0),
        (["--ignore", "TS301,unused-ignore"], 0),
        (["--select=TS1"], 0),
        (["--exclude", "a.py"], 0),
        (["--exclude", "a.py", "a.py"], 1),
        (["--exclude", "a.py", "a.py", "--force-exclude"], 0),
        (["-j", "2"], 1),
        (["nowhere.py"], 2),
        (["--select", "TS999"], 2),
        (["--jobs", "0"], 2),
        (["--jobs", "many"], 2),
        (["--format", "xml"], 2),
        (["--fix", "--write-baseline", "b.json"], 2),
        (["--statistics", "--format", "sarif"], 2),
        (["--stdin-filename", "a.py", "a.py"], 2),
        (["--output", "no/folder.json"], 2),
        (["--changed-since", "nowhere"], 2),
        (["--config", "nowhere.toml"], 2),
        (["--select"], 2),
    ],
)
def test_statuses(flags: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *flags]) == status
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err
    assert (status == 2) == ("error: " in shown.err)


def test_a_file_that_does_not_parse_makes_1(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "b.py").write_text("print 'x'\n")
    assert run(["check", "b.py", "--fail-on", "error"]) == 1
    assert "b.py:1" in capsys.readouterr().out
    assert run(["check", "b.py", "--exit-zero"]) == 0


def test_json_is_one_document_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", ".", "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["findings"][0]["code"] == "TS301"
    assert shown.err == ""
    assert run(["check", ".", "--format", "json"]) == 1
    assert capsys.readouterr().out == shown.out


def test_a_report_in_a_file(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(["check", ".", "--format", "sarif", "--output", "out.sarif"]) == 1
    assert json.loads((folder / "out.sarif").read_text())["version"] == "2.1.0"
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Found 1 error" in shown.err
    assert run(["check", ".", "-o", "out.txt", "--quiet"]) == 1
    assert capsys.readouterr().err == ""
    assert "error[TS301]" in (folder / "out.txt").read_text()


def test_diff_shows_and_fix_writes(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(["check", "a.py", "--diff"]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("--- a/a.py\n+++ b/a.py\n")
    assert "-a = 1  # torchstone: ignore[TS101]\n+a = 1\n" in shown.out
    assert (folder / "a.py").read_text() == PROGRAM
    patched = subprocess.run(
        ["git", "apply", "--check"], input=shown.out, text=True, capture_output=True, check=False
    )
    assert patched.returncode == 0, patched.stderr
    assert run(["check", "a.py", "--fix"]) == 1
    assert (folder / "a.py").read_text() == MENDED
    assert "Fixed 1 mistake.\nFound 1 error left in 1 file." in capsys.readouterr().out
    assert run(["check", "a.py", "--diff", "--ignore", "TS3"]) == 0


def test_an_editor_s_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, PROGRAM.encode())
    assert run(["check", "--stdin-filename", "new/b.py", "--format", "concise", "-q"]) == 1
    assert capsys.readouterr().out.startswith("new/b.py:6:")
    stdin(monkeypatch, b"\xff")
    assert run(["check", "-"]) == 2
    assert "not valid utf-8" in capsys.readouterr().err


def test_an_editor_s_text_comes_back_fixed(folder: Path) -> None:
    def fixed(data: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "torchstone", "check", "--fix", "--stdin-filename", "b.py"]
        return subprocess.run(command, input=data, capture_output=True, check=False)

    windows = PROGRAM.replace("\n", "\r\n").encode()
    result = fixed(windows)
    assert (result.returncode, result.stdout) == (1, MENDED.replace("\n", "\r\n").encode())
    assert b"error[TS301]" in result.stderr
    assert fixed(b"def f(:\n").stdout == b"def f(:\n"


def test_a_baseline_adopts_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", ".", "--write-baseline", "known.json"]) == 0
    assert "2 findings written to known.json" in capsys.readouterr().out
    assert run(["check", ".", "--baseline", "known.json"]) == 0
    assert "No new mistakes found in 1 file. The baseline knows 2." in capsys.readouterr().out


def test_statistics(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", ".", "--statistics"]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "1  TS301  softmax-before-cross-entropy  error",
        "1  TS000  unused-ignore                 warning  [*]",
    ]


def test_results_are_cached_unless_it_is_forbidden(folder: Path) -> None:
    run(["check", ".", "--no-cache"])
    assert not (folder / ".torchstone_cache").exists()
    run(["check", "."])
    assert (folder / ".torchstone_cache").is_dir()


def test_colour_when_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    run(["check", "."])
    assert "\x1b[1;31m" in capsys.readouterr().out


def test_the_quick_way_and_the_framework_know_the_same_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--help"]) == 0
    shown = capsys.readouterr().out
    for flag in dataclasses.fields(CheckFlags):
        assert all(name in shown for name in names_of(flag))


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.py", "b", "--select", "TS1,TS2", "--select=TS3", "--format", "json", "-o", "x", "--jobs", "3"],
        ["--fix", "--quiet", "."],
        [],
    ],
)
def test_both_ways_read_the_same(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from torchstone.cli import check

    read: list[tuple[list[str], CheckFlags]] = []
    monkeypatch.setattr(check, "perform", lambda paths, flags: read.append((list(paths), flags)) or 0)
    monkeypatch.setattr("torchstone.cli.checking.quick", lambda _: None)
    assert run(["check", *arguments]) == 0
    assert read == [parse(arguments)]


@pytest.mark.parametrize(
    "words", [["--help"], ["--selct", "x"], ["--jobs", "x"], ["--select"], ["--fix=yes"], ["--format", "x"]]
)
def test_what_is_not_plain_goes_to_the_framework(words: list[str]) -> None:
    assert parse(words) is None


def test_a_mistyped_flag_names_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--selct", "TS1"]) == 2
    assert "Did you mean --select" in capsys.readouterr().err


def test_what_a_check_imports(folder: Path) -> None:
    program = (
        "import sys\nfrom torchstone.cli import run\nrun(['check', 'a.py', '-q'])\n"
        "heavy = {'torch', 'numpy', 'rich', 'pydantic', 'cyclopts', 'argparse', 'inspect_', 'polars'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away_is_no_crash(folder: Path) -> None:
    for number in range(300):
        (folder / f"f{number}.py").write_text(PROGRAM)
    line = f"{sys.executable} -m torchstone check . | head -1"
    result = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_output_in_an_encoding_that_lacks_the_letters(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff\xe9.py")).write_text(PROGRAM)
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for form in ("terminal", "concise", "json", "sarif", "github"):
        command = [sys.executable, "-m", "torchstone", "check", ".", "--format", form]
        result = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert result.returncode == 1, result.stderr


def test_explain_lists_and_explains(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    assert "softmax-before-cross-entropy" in capsys.readouterr().out
    assert run(["explain", "ts301"]) == 0
    by_code = capsys.readouterr().out
    assert "Why is this bad?" in by_code
    assert run(["explain", "softmax-before-cross-entropy"]) == 0
    assert capsys.readouterr().out == by_code
    assert run(["explain", "TS301", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mistakes"][0]["name"] == "softmax-before-cross-entropy"
    assert run(["explain", "softmax-before-crossentropy"]) == 2
    assert 'Did you mean "softmax-before-cross-entropy"' in capsys.readouterr().err.replace("\n", " ")
