"""What the source says of a program and what its run shows: confirmed, withdrawn, or left as it is.

The scripts of `withdrawn/` have a line that the source shows to be wrong (marked with the code) and a run
shows to be right.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from torchstone.finding import Finding
from torchstone.review import agreement
from torchstone.review.places import Place
from torchstone.review.report import Report
from torchstone.review.verdicts import Verdicts

pytest.importorskip("torch")

HERE = Path(__file__).parent
SCRIPTS = sorted((HERE / "withdrawn").glob("*.py"))
MARK = re.compile(r"#.*?\b(TS\d{3})")
WRONG = """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    {more}
    for number in range({steps}):
        loss = nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1))
        loss.backward()
        optimizer.step()
"""
HOOK = "optimizer.register_step_post_hook(lambda own, args, kwargs: own.zero_grad())"

Run = Callable[[Path], Report]


def marked(script: Path) -> tuple[str, int]:
    """Code and line of the mark."""
    lines = enumerate(script.read_text().splitlines(), start=1)
    return next((match[1], number) for number, line in lines if (match := MARK.search(line)))


def read(text: str, folder: Path) -> Path:
    """A script with a text."""
    script = folder / "train.py"
    script.write_text(textwrap.dedent(text))
    return script


def watch(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "torchstone", "watch", *words, script.name]
    return subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs a script watched, in a fork of one process that has imported torch, and reads its source."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.review.watch_server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]
    ) as server:
        stdin, stdout = server.stdin, server.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(script: Path) -> Report:
            stdin.write(json.dumps({"folder": str(script.parent), "script": str(script)}) + "\n")
            stdin.flush()
            answer = json.loads(stdout.readline())
            assert (answer["failures"], answer["error"]) == ([], None)
            report = Report(
                findings=[Finding.from_json(one) for one in answer["findings"]],
                disproved=frozenset((code, file, line) for code, file, line in answer["disproved"]),
            )
            report.findings = [one for one in report.findings if one.severity != "advice"]
            agreement.add_source(report, [str(script)])
            return report

        yield ask
        stdin.close()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_what_a_run_disproves_is_withdrawn(script: Path, run: Run) -> None:
    code, line = marked(script)
    alone = Report()
    agreement.add_source(alone, [str(script)])
    assert [(one.code, one.line) for one in alone.findings] == [(code, line)]
    report = run(script)
    assert report.findings == []
    assert len(report.notes) == 1
    assert report.notes[0].startswith(f"{code} ")
    assert f":{line}, which the source looks like, is withdrawn" in report.notes[0]


def test_watch_says_what_is_withdrawn_and_does_not_fail(tmp_path: Path) -> None:
    script = read(WRONG.format(more=HOOK, steps=8), tmp_path)
    watched = watch(script, "--fail-on", "error")
    assert watched.returncode == 0, watched.stderr
    assert "found no mistake.\nTS101 missing-zero-grad at train.py:11, which" in watched.stderr


def test_a_run_that_was_too_short_withdraws_nothing(tmp_path: Path, run: Run) -> None:
    report = run(read(WRONG.format(more=HOOK, steps=2), tmp_path))
    assert [one.code for one in report.findings] == ["TS101"]
    assert report.findings[0].evidence == {"source": True}
    assert report.notes == []


def test_a_line_that_is_right_at_first_and_wrong_later_is_not_withdrawn(tmp_path: Path, run: Run) -> None:
    more = f"handle = {HOOK}\n    def let(number):\n        if number == 5:\n            handle.remove()"
    text = WRONG.format(more=more, steps=7).replace(
        "        loss.backward()", "        loss.backward(let(number))"
    )
    report = run(read(text, tmp_path))
    assert [one.code for one in report.findings] == ["TS101"]


def test_gradients_that_are_zero_by_chance_say_nothing(tmp_path: Path, run: Run) -> None:
    more = "model.bias.register_hook(lambda gradient: gradient * 0)"
    report = run(read(WRONG.format(more=more, steps=8), tmp_path))
    assert [one.code for one in report.findings] == ["TS101"]


def test_a_line_that_was_not_executed_is_as_the_source_says(tmp_path: Path, run: Run) -> None:
    report = run(read(WRONG.format(more="", steps="6 if __name__ == 'other' else 0"), tmp_path))
    assert [(one.code, one.evidence) for one in report.findings] == [("TS101", {"source": True})]


def test_what_both_show_is_listed_once_and_says_so(tmp_path: Path) -> None:
    script = read(WRONG.format(more="", steps=6), tmp_path)
    watched = watch(script)
    assert watched.stderr.count("error[TS101]") == 1
    assert "= run: found in the source, and seen at step 2\n" in watched.stderr
    for form in ("json", "sarif"):
        told = json.loads(watch(script, "--quiet", "--format", form).stderr)
        evidence = (
            told["findings"][0]["evidence"]
            if form == "json"
            else told["runs"][0]["results"][0]["properties"]["evidence"]
        )
        assert evidence["agreement"] == "found in the source, and seen at step 2"
        assert evidence["step"] == 2


def test_lines_are_disproved_where_they_were_right_often_enough_and_never_doubted() -> None:
    verdicts, file = Verdicts(), str(HERE / "train.py")
    for line, right, doubted in ((1, 3, False), (2, 2, False), (3, 3, True)):
        for _ in range(right):
            verdicts.right("TS101", Place(file, line), needed=3)
        if doubted:
            verdicts.doubt("TS101", Place(file, line))
    verdicts.right("TS101", None, needed=1)
    assert verdicts.disproved(set()) == {("TS101", file, 1)}
    assert verdicts.disproved({"TS101"}) == frozenset()


def test_a_finding_of_the_run_at_the_line_is_kept_whatever_was_said(tmp_path: Path) -> None:
    script = read(WRONG.format(more="", steps=6), tmp_path)
    values: dict[str, Any] = {"file": str(script), "line": 11, "evidence": {"step": 2}}
    seen = Finding("TS101", "missing-zero-grad", "error", "seen", **values)
    report = Report(findings=[seen], disproved=frozenset({("TS101", str(script), 11)}))
    agreement.add_source(report, [str(script)])
    assert [one.message for one in report.findings] == ["seen"]
    assert report.notes == []


def test_a_cause_that_reaches_two_losses_is_listed_once_with_its_line(tmp_path: Path) -> None:
    loop = """
        for _ in range(6):
            x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
    """
    text = """
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(4, 3)
                self.softmax = nn.Softmax(dim=1)

            def forward(self, x):
                return self.softmax(self.linear(x))

        model, criterion = Net(), nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(model.parameters())
    """
    watched = watch(read(text + loop + loop, tmp_path), "--quiet", "--format", "json")
    (finding,) = json.loads(watched.stderr)["findings"]
    assert (finding["code"], finding["line"], finding["evidence"]["step"]) == ("TS301", 20, 0)
    assert [related["line"] for related in finding["related"]] == [9, 27]
