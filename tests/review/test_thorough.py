"""`--thorough`: the model is called once more with other inputs, mistakes show, and nothing is different.

The scripts of `thorough/` are marked as those of `watched/` are (see `test_watch_corpus.py`).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.review.test_corpus import PROGRAMS, twin
from tests.review.test_watch_corpus import marks, places

from torchstone.review.catalogue import load_catalogue

pytest.importorskip("torch")
pytest.importorskip("sklearn")

HERE = Path(__file__).parent
THOROUGH = sorted((HERE / "thorough").glob("*.py"))
UNCHANGED = [*sorted((HERE / "watched" / "unchanged").glob("*.py")), *THOROUGH]
CODES = {"TS310", "TS311", "TS312", "TS313"}
LANGUAGE = next(folder for folder in PROGRAMS if folder.name.startswith("TS313"))

Ask = Callable[..., dict[str, Any]]


def server(name: str) -> Iterator[Ask]:
    """Asks a process that has imported torch to run scripts in forks of it."""
    command = [sys.executable, "-W", "ignore", "-m", f"tests.review.{name}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(**job: Any) -> dict[str, Any]:
            stdin.write(json.dumps(job) + "\n")
            stdin.flush()
            answer: dict[str, Any] = json.loads(stdout.readline())
            return answer

        yield ask
        stdin.close()


@pytest.fixture(scope="module")
def watch() -> Iterator[Ask]:
    """Runs a script watched, by `folder` and `script`."""
    yield from server("watch_server")


@pytest.fixture(scope="module")
def run() -> Iterator[Ask]:
    """Runs a script watched or not, and says what it left behind."""
    yield from server("twin_server")


@pytest.mark.parametrize("script", THOROUGH, ids=lambda script: script.stem)
def test_marked_lines_are_found_and_no_others(script: Path, tmp_path: Path, watch: Ask) -> None:
    shutil.copy(script, tmp_path)
    answer = watch(folder=str(tmp_path), script=script.name, thorough=True)
    expected = marks(tmp_path)
    found = {code: held for code, held in places(answer).items() if code in CODES}
    assert (answer["error"], answer["failures"]) == (None, [])
    assert {mark for marked in found.values() for mark in marked} == expected


def test_without_thorough_nothing_is_asked(tmp_path: Path, watch: Ask) -> None:
    shutil.copy(HERE / "thorough" / "next_token.py", tmp_path)
    assert watch(folder=str(tmp_path), script="next_token.py")["findings"] == []


def test_the_program_with_an_inverted_mask_is_found(tmp_path: Path, watch: Ask) -> None:
    folder = shutil.copytree(LANGUAGE, tmp_path / "program")
    answer = watch(folder=str(folder), script="train.py", thorough=True)
    found = {finding["code"] for finding in answer["findings"] if finding["severity"] != "advice"}
    assert found == {"TS313"}


@pytest.mark.parametrize(
    "folder",
    [folder for folder in PROGRAMS if not folder.name.startswith("TS9")],
    ids=lambda folder: folder.name,
)
def test_correct_programs_are_passed_over_in_silence(folder: Path, tmp_path: Path, watch: Ask) -> None:
    there = twin(folder, tmp_path / "twin")
    answer = watch(folder=str(there), script="train.py", thorough=True)
    assert answer["failures"] == []
    assert [finding for finding in answer["findings"] if finding["code"] in CODES] == []


@pytest.mark.parametrize("script", UNCHANGED, ids=lambda script: script.stem)
def test_a_script_ends_as_it_does_unwatched(script: Path, run: Ask) -> None:
    plain = run(script=str(script), watched=False)
    watched = run(script=str(script), watched=True, thorough=True)
    assert plain["status"] == 0, plain["errors"]
    assert watched.pop("failures") == []
    watched.pop("findings")
    assert watched.pop("alive") - plain.pop("alive") <= 1  # a sum of losses, of the watcher's own
    assert watched == plain


def test_every_mistake_that_needs_it_says_so() -> None:
    needing = {m.code for m in load_catalogue() if getattr(m.detector, "THOROUGH", False)}
    assert needing == {"TS310", "TS312", "TS313"}
