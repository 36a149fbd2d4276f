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
from types import SimpleNamespace
from typing import Any

import pytest
from tests.review.test_corpus import PROGRAMS, twin
from tests.review.test_watch_corpus import marks, places

from torchstone.review.catalogue import load_catalogue
from torchstone.review.reach import Reach

torch = pytest.importorskip("torch")
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


def test_a_run_says_where_thorough_would_tell_more(tmp_path: Path) -> None:
    shutil.copy(HERE / "thorough" / "view_of_samples.py", tmp_path / "train.py")
    line = "Whether TS310 is so, a run shows with --thorough: it calls the model anew, with other inputs.\n"
    for flags, told in ((), True), (("--thorough",), False):
        done = subprocess.run(
            [sys.executable, "-m", "torchstone", "watch", *flags, "train.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert (line in done.stderr) is told, done.stderr


def test_the_program_with_an_inverted_mask_is_found(tmp_path: Path, watch: Ask) -> None:
    folder = shutil.copytree(LANGUAGE, tmp_path / "program")
    answer = watch(folder=str(folder), script="train.py", thorough=True)
    found = {finding["code"] for finding in answer["findings"] if finding["severity"] != "advice"}
    assert found == {"TS313"}


@pytest.mark.slow
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
    needing = {mistake.code for mistake in load_catalogue() if "watch --thorough" in mistake.found_by}
    assert needing == {"TS310", "TS312", "TS313"}


SEEN: list[float] = []


class Computing(torch.nn.Linear):  # type: ignore[name-defined, misc, unused-ignore]
    """Computes, and remembers what it did, in a list, in itself and in what its class has."""

    options = SimpleNamespace(scale=2.0)

    def forward(self, x: Any) -> Any:
        SEEN.append(float(x.sum()))
        self.count = getattr(self, "count", 0) + 1
        return super().forward(x) * self.options.scale


class Writing(Computing):
    """Writes into a file."""

    def forward(self, x: Any) -> Any:
        self.tell(x)
        return super().forward(x)

    def tell(self, x: Any) -> None:
        with open("/dev/null", "w") as file:
            file.write(str(x))


def test_what_a_call_leaves_behind_is_put_back() -> None:
    net = Computing(2, 1)
    reach = Reach(net)
    assert reach.clean, reach.why
    with reach.put_back():
        net(torch.ones(1, 2))
        assert (SEEN, net.count) == ([2.0], 1)
        net.options.scale = 3.0
    assert (SEEN, hasattr(net, "count"), net.options.scale) == ([], False, 2.0)


def test_what_cannot_be_put_back_is_not_called() -> None:
    assert not Reach(Writing(2, 1)).clean
    hooked = Computing(2, 1)
    hooked.register_forward_hook(lambda *given: SEEN.append(1.0))
    assert not Reach(hooked).clean
