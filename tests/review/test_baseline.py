"""A baseline lets what is known pass, wherever the lines have gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import torchstone as ts
from torchstone.errors import UsageError

SECOND = """

other = nn.Sequential(nn.Linear(10, 3), nn.Softmax(dim=1))


def again(x, y):
    return criterion(other(x), y)
"""
"""Another cause, TS301 at line 16 after the program."""


@pytest.fixture
def adopted(folder: Path, program: str) -> Path:
    (folder / "a.py").write_text(program)
    report = ts.check(".", write_baseline="known.json")
    assert report.findings == []
    assert report.notes == ["1 finding written to known.json; --baseline known.json lets them pass."]
    return folder


def test_what_is_known_passes_also_when_lines_move(adopted: Path, program: str) -> None:
    assert not ts.check(".", baseline="known.json").failed
    (adopted / "a.py").write_text(f"# more\n\n{program}")
    assert not ts.check(".", baseline="known.json").failed
    assert ts.check(".").failed


def test_one_more_of_the_same_is_new(adopted: Path, program: str) -> None:
    (adopted / "a.py").write_text(program + SECOND)
    (finding,) = ts.check(".", baseline="known.json").findings
    assert finding.line == 16


def test_what_is_gone_is_said(adopted: Path) -> None:
    (adopted / "a.py").write_text("import torch\n")
    report = ts.check(".", baseline="known.json")
    assert report.notes == [
        "known.json: 1 finding of it is gone; --write-baseline known.json brings it up to date."
    ]


def test_the_settings_name_it_and_it_holds_from_other_folders(
    adopted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (adopted / "pyproject.toml").write_text('[tool.torchstone.check]\nbaseline = "known.json"\n')
    (adopted / "inner").mkdir()
    monkeypatch.chdir(adopted / "inner")
    assert not ts.check("../a.py").failed


def test_it_reads_well_in_a_repository(adopted: Path) -> None:
    document = json.loads((adopted / "known.json").read_text())
    assert document == {
        "version": 1,
        "findings": [{"file": "a.py", "code": "TS301", "line": "return criterion(net(x), y)", "count": 1}],
    }


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "findings": [3]}'])
def test_a_file_that_is_no_baseline(folder: Path, text: str) -> None:
    (folder / "known.json").write_text(text)
    with pytest.raises(UsageError, match=r"known\.json"):
        ts.check(".", baseline="known.json")


def test_a_baseline_that_is_not_there(folder: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        ts.check(".", baseline="known.json")
    with pytest.raises(UsageError, match="cannot be written"):
        ts.check(".", write_baseline="no/folder.json")
