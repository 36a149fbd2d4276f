"""Programs that are run under watch: mistakes are found, correct programs are passed over in silence.

The programs are those of `corpus/` (see `test_corpus.py`) and the scripts of `watched/`: lines that end in a
code, such as `# TS101`, take part in a finding of that code; a script without a mark is silent. Advice is
looked for where it is marked, or where a line `# silent: TS505` says that there must be none.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.review.test_corpus import PROGRAMS, twin

from torchstone.review.catalogue import load_catalogue

pytest.importorskip("torch")
pytest.importorskip("sklearn")

HERE = Path(__file__).parent
MARK = re.compile(r"#(?! silent:).*?\b(TS\d{3}(?:, TS\d{3})*)")
SILENT = re.compile(r"^# silent: (TS\d{3})$", re.MULTILINE)
WATCHED = sorted((HERE / "watched").rglob("*.py"))
SEEN = {
    mistake.code: mistake
    for mistake in load_catalogue()
    if mistake.detector is not None and not mistake.detector.OPTION
}
EXPLAINED = {
    code
    for code, mistake in SEEN.items()
    if {name for name in dir(mistake.detector) if name.startswith("on_")} == {"on_crash"}
}
"""The codes of mistakes that are seen when they end the program, and not before."""
UNTIMED = {"TS701", "TS705", "TS712"}
"""Advice that does not depend on how busy the machine is."""

TOO_SMALL = {"TS413"}
"""The pictures of its program have 8 x 8 points, too few to tell neighbours; `watched/` has larger ones."""

ON_DEVICE = {"TS701", "TS705"}
"""The codes of mistakes whose examples have none of it on a CPU; scripts of `watched/` show it there."""

BAD = [
    (f"{mistake.code}-{i}", example.code)
    for mistake in load_catalogue()
    if mistake.check is None and (mistake.detector is None or not mistake.detector.OPTION)
    for i, example in enumerate(mistake.bad)
]
GOOD = [(f"{mistake.code}-{i}", code) for mistake in load_catalogue() for i, code in enumerate(mistake.good)]

FOLDERS = [
    # Those with several processes meet over a port, which takes long on a busy machine.
    pytest.param(folder, marks=pytest.mark.slow if folder.name.startswith("TS9") else ())
    for folder in PROGRAMS
]

Run = Callable[[Path, str], dict[str, Any]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs a script watched, in a fork of one process that has imported torch."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.review.watch_server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]
    ) as server:
        stdin, stdout = server.stdin, server.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(folder: Path, script: str) -> dict[str, Any]:
            stdin.write(json.dumps({"folder": str(folder), "script": script}) + "\n")
            stdin.flush()
            answer: dict[str, Any] = json.loads(stdout.readline())
            assert answer["failures"] == []
            # Advice is off by default, and what is slow on a busy machine is looked for where it is marked.
            marked = {code for code, _, _ in marks(folder)}
            marked |= {code for path in folder.rglob("*.py") for code in SILENT.findall(path.read_text())}
            answer["advice"] = {one["code"] for one in answer["findings"] if one["severity"] == "advice"}
            answer["findings"] = [
                one for one in answer["findings"] if one["severity"] != "advice" or one["code"] in marked
            ]
            return answer

        yield ask
        stdin.close()


def has_device() -> bool:
    """Whether programs find a GPU here."""
    import torch

    return torch.cuda.is_available()


def marks(folder: Path) -> set[tuple[str, str, int]]:
    """Code, file and line of each mark."""
    return {
        (code, path.name, number)
        for path in folder.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (match := MARK.search(line))
        for code in match[1].split(", ")
    }


def places(answer: dict[str, Any]) -> dict[str, set[tuple[str, str, int]]]:
    """By code, file and line of each finding and of the lines that take part."""
    found: dict[str, set[tuple[str, str, int]]] = {}
    for finding in answer["findings"]:
        lines = [(finding["file"], finding["line"]), *((r["file"], r["line"]) for r in finding["related"])]
        named = {(finding["code"], Path(file).name, line) for file, line in lines if file}
        found.setdefault(finding["code"], set()).update(named)
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_mistake_of_a_program_is_seen(folder: Path, tmp_path: Path, run: Run) -> None:
    answer = run(shutil.copytree(folder, tmp_path / "program"), "train.py")
    expected, found = marks(folder), places(answer)
    assert set(found) <= {code for code, _, _ in expected}
    for code in {code for code, _, _ in expected} & set(SEEN) - TOO_SMALL:
        if answer["error"] is None and code in EXPLAINED:
            continue  # this machine has no GPU for it to fail on
        assert found.get(code, set()) & expected, (code, found, answer["error"])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_twin_is_passed_over_in_silence(folder: Path, tmp_path: Path, run: Run) -> None:
    answer = run(twin(folder, tmp_path / "twin"), "train.py")
    assert answer["error"] is None
    assert answer["findings"] == []


@pytest.mark.parametrize("script", WATCHED, ids=lambda script: script.stem)
def test_marked_lines_are_found_and_no_others(script: Path, tmp_path: Path, run: Run) -> None:
    shutil.copy(script, tmp_path)
    answer = run(tmp_path, script.name)
    expected, found = marks(tmp_path), places(answer)
    assert set(found) == {code for code, _, _ in expected}, answer["error"]
    for code in found:
        assert found[code] >= {mark for mark in expected if mark[0] == code}
    if not expected:
        assert answer["error"] is None
        assert answer["advice"].isdisjoint(UNTIMED)


@pytest.mark.parametrize("code", [code for _, code in BAD], ids=[name for name, _ in BAD])
def test_bad_examples_that_only_a_run_shows_are_found(code: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "example.py").write_text(code)
    expected = marks(tmp_path)
    if {code for code, _, _ in expected} <= ON_DEVICE and not has_device():
        pytest.skip("needs a GPU")
    found = places(run(tmp_path, "example.py"))
    assert set(found) == {code for code, _, _ in expected}
    for code in found:
        assert found[code] & expected


@pytest.mark.parametrize("code", [code for _, code in GOOD], ids=[name for name, _ in GOOD])
def test_good_examples_are_passed_over_in_silence(code: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "example.py").write_text(code)
    answer = run(tmp_path, "example.py")
    assert answer["findings"] == []
