"""Programs that train with other frameworks: the right ones end as they did unwatched, and in silence.

The names of the scripts in `frameworks/` begin with that of what they need. Lines that end in a code, such as
`# TS301`, take part in a finding of that code: the user's own lines, never one of a framework's.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.review import test_watch_corpus, test_watch_unchanged
from tests.review.test_watch_corpus import marks, places
from tests.review.test_watch_unchanged import told

from torchstone import check

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.slow  # frameworks take seconds to import

HERE = Path(__file__).parent
SCRIPTS = sorted((HERE / "frameworks").glob("*.py"))


def given(script: Path) -> Any:
    """The script as a parameter, skipped where its framework is not installed."""
    framework = script.stem.partition("_")[0]
    there = importlib.util.find_spec(framework) is not None
    return pytest.param(
        script,
        id=script.stem,
        marks=() if there else pytest.mark.skip(reason=f"{framework} is not installed"),
    )


RIGHT = [given(script) for script in SCRIPTS if script.stem.endswith("_right")]
WRONG = [given(script) for script in SCRIPTS if not script.stem.endswith("_right")]

run_twice = test_watch_unchanged.run
run_watched = test_watch_corpus.run


@pytest.fixture(autouse=True, scope="module")
def offline() -> Iterator[None]:
    """Nothing is fetched, and nobody is told that the frameworks are used."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
            patch.setitem(os.environ, name, "1")
        yield


@pytest.mark.parametrize("script", RIGHT)
def test_a_right_program_is_passed_over_and_ends_as_unwatched(script: Path, run_twice: Any) -> None:
    plain, watched = run_twice(script, watched=False), run_twice(script, watched=True)
    assert plain["status"] == 0, plain["errors"]
    assert plain["weights"]
    assert plain["output"]
    assert told(watched.pop("findings")) == []
    assert watched.pop("failures") == []
    assert watched == plain


@pytest.mark.parametrize("script", RIGHT)
def test_a_right_program_is_read_in_silence(script: Path) -> None:
    assert check(script).findings == []


@pytest.mark.parametrize("script", WRONG)
def test_a_mistake_is_found_at_the_users_line(script: Path, tmp_path: Path, run_watched: Any) -> None:
    (tmp_path / script.name).write_text(script.read_text())
    answer = run_watched(tmp_path, script.name)
    expected, found = marks(tmp_path), places(answer)
    assert set(found) == {code for code, _, _ in expected}, answer["error"]
    for code in found:
        assert found[code] >= {mark for mark in expected if mark[0] == code}
        assert {Path(file) for _, file, _ in found[code]} == {Path(script.name)}
