"""Whole programs with one mistake each, and their fixed twins.

A folder `corpus/<code>-<name>/` holds a program (`train.py` is what is run) whose offending lines end in the
code, such as `# TS101`, and `fixed.patch`, a unified diff (paths `a/train.py`, `b/train.py`) that mends it.
All rules are on: nothing but the marked lines may be reported, and nothing at all in the twin. A line that
only a run can point to is marked `# watch: TS411`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from torchstone.review.catalogue import load_catalogue
from torchstone.review.source import check_text

CORPUS = Path(__file__).parent / "corpus"
PROGRAMS = sorted(folder for folder in CORPUS.iterdir() if (folder / "fixed.patch").exists())
MARK = re.compile(r"#(?! watch:).*?\b(TS\d{3}(?:, TS\d{3})*)")

READ = {mistake.code for mistake in load_catalogue() if mistake.check is not None}
"""The codes of mistakes that source shows; the others are seen by `test_watch_corpus.py` alone."""

Places = set[tuple[str, int, str]]


def marked(folder: Path) -> Places:
    """File, line and code of each mark in the program."""
    return {
        (path.name, number, code)
        for path in folder.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (match := MARK.search(line))
        for code in match[1].split(", ")
    }


def reported(folder: Path) -> Places:
    """File, line and code of each finding in the program."""
    places = set()
    for path in folder.rglob("*.py"):
        result = check_text(path.read_text(), str(path))
        assert not result.errors
        places |= {(path.name, finding.line or 0, finding.code) for finding in result.findings}
    return places


def twin(folder: Path, target: Path) -> Path:
    """The mended program, in a folder of its own."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("fixed.patch", "__pycache__"))
    # Outside any repository `git apply` works on the current folder.
    subprocess.run(
        ["git", "apply", "--unsafe-paths", str(folder / "fixed.patch")],
        cwd=target,
        check=True,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(target.parent)},
    )
    return target


@pytest.mark.parametrize("folder", PROGRAMS, ids=lambda folder: folder.name)
def test_the_mistake_is_found_at_its_line(folder: Path) -> None:
    expected = marked(folder)
    assert folder.name[:5] in {code for _, _, code in expected}
    assert reported(folder) == {place for place in expected if place[2] in READ}


@pytest.mark.parametrize("folder", PROGRAMS, ids=lambda folder: folder.name)
def test_the_fixed_twin_is_silent(folder: Path, tmp_path: Path) -> None:
    assert reported(twin(folder, tmp_path / "twin")) == set()


@pytest.mark.slow
@pytest.mark.parametrize("folder", PROGRAMS, ids=lambda folder: folder.name)
def test_both_run(folder: Path, tmp_path: Path) -> None:
    """A program whose first line says `# ends in an error` ends in one; the twin never does."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    first = (folder / "train.py").read_text().partition("\n")[0]
    original = shutil.copytree(folder, tmp_path / "original")
    for program, fails in (
        (original, first == "# ends in an error"),
        (twin(folder, tmp_path / "twin"), False),
    ):
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "train.py"],
            cwd=program,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (result.returncode != 0) == fails, result.stderr


def test_every_error_that_source_can_show_has_a_program() -> None:
    with_program = {folder.name[:5] for folder in PROGRAMS}
    errors = {m.code for m in load_catalogue() if m.severity == "error" and m.check is not None}
    assert sorted(errors - with_program) == []
