"""Watching changes nothing: what a script computes, draws, prints, compiles and keeps alive is the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

HERE = Path(__file__).parent
SCRIPTS = sorted((HERE / "watched" / "unchanged").glob("*.py"))

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs a script in a fork of one process that has imported torch, watched or not."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.review.twin_server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]
    ) as server:
        stdin, stdout = server.stdin, server.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(script: Path, *, watched: bool, before: str | None = None) -> dict[str, Any]:
            stdin.write(json.dumps({"script": str(script), "watched": watched, "before": before}) + "\n")
            stdin.flush()
            answer: dict[str, Any] = json.loads(stdout.readline())
            return answer

        yield ask
        stdin.close()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_watched_script_ends_as_the_unwatched_one(script: Path, run: Run) -> None:
    plain, watched = run(script, watched=False), run(script, watched=True)
    assert plain["status"] == 0, plain["errors"]
    assert plain["weights"]
    assert watched.pop("findings") == []
    assert watched.pop("failures") == []
    assert watched == plain
