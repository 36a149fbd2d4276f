"""Only what a branch changed: asked of a real repository."""

from __future__ import annotations

import subprocess
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


def git(*arguments: str) -> None:
    name = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *name, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(folder: Path, program: str) -> Path:
    git("init", "-q", "-b", "main")
    (folder / "old.py").write_text(program)
    (folder / "é name.py").write_text("import torch\n")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    git("checkout", "-q", "-b", "work")
    return folder


def lines() -> list[tuple[str | None, int | None]]:
    return [(finding.file, finding.line) for finding in ts.check(".", changed_since="main").findings]


def test_old_lines_pass_and_changed_ones_do_not(repository: Path, program: str) -> None:
    assert lines() == []
    assert ts.check(".", changed_since="main").files == 0
    (repository / "old.py").write_text(program + SECOND)
    assert lines() == [("old.py", 16)]
    git("commit", "-q", "-am", "two")
    assert lines() == [("old.py", 16)]


def test_a_place_that_takes_part_counts(repository: Path, program: str) -> None:
    (repository / "old.py").write_text(program.replace("nn.Linear(10, 3)", "nn.Linear(20, 3)"))
    assert [line for _, line in lines()] in ([9], [])  # where the rule names the layer, the finding is told


def test_new_files_are_whole_new(repository: Path, program: str) -> None:
    (repository / "new.py").write_text(program)
    (repository / "é name.py").write_text(program)
    assert lines() == [("new.py", 9), ("é name.py", 9)]


def test_what_others_did_meanwhile_is_not_ours(repository: Path, program: str) -> None:
    git("checkout", "-q", "main")
    (repository / "theirs.py").write_text(program)
    git("add", ".")
    git("commit", "-q", "-m", "theirs")
    git("checkout", "-q", "work")
    (repository / "ours.py").write_text(program)
    assert lines() == [("ours.py", 9)]


def test_fixes_stay_on_changed_lines(repository: Path) -> None:
    comment = "a = 1  # torchstone: ignore[TS301]\n"
    (repository / "b.py").write_text(f"import torch\n{comment}")
    git("add", ".")
    git("commit", "-q", "-m", "b")
    git("checkout", "-q", "-b", "next")
    (repository / "b.py").write_text(f"import torch\n{comment}x = 3\n{comment}")
    report = ts.check(".", changed_since="work", fix="safe")
    assert (repository / "b.py").read_text() == f"import torch\n{comment}x = 3\na = 1\n"
    assert (report.fixed, report.findings) == (1, [])


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", ""])
def test_a_revision_that_git_does_not_know(repository: Path, revision: str) -> None:
    with pytest.raises(UsageError, match="git"):
        ts.check(".", changed_since=revision)
    assert not (repository / "x").exists()


def test_outside_of_a_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    with pytest.raises(UsageError, match="not in a git repository"):
        ts.check(".", changed_since="main")
