"""The page of findings: one file that loads nothing, holds all that is known, and escapes all of it."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from torchstone.finding import Edit, Finding, Fix, Related
from torchstone.review.output import html
from torchstone.review.report import CheckError, Report, WatchedRun

HOSTILE = "<script>alert('1')</script>\"'&\x1b[31m\u202e</td>"
TEXT = "def f():\n\tlösung = model(x)\n\tloss.backward()\n\toptimizer.step()\n"
VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """The tags and the text of a page; fails where tags do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.parts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())

    def anchors(self) -> set[str | None]:
        return {attributes["id"] for _, attributes in self.tags if "id" in attributes}

    def links(self) -> set[str | None]:
        return {attributes["href"] for tag, attributes in self.tags if tag == "a"}


def hold_to_contract(text: str) -> Page:
    """What is true of every page."""
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "embed", "base", "form", "img"})
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert not {"src", "srcset", "action", "data"} & attributes.keys()
    assert "url(" not in text
    assert "@import" not in text
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    for link in page.links():
        assert link is not None
        assert link.startswith("https://") or link[1:] in page.anchors(), link
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    return page


@pytest.fixture
def report() -> Report:
    """A watched run with a finding that has everything, one of another severity, and one of no line."""
    fix = Fix("clear the gradients", True, (Edit("ä b.py", 3, 2, 3, 2, "optimizer.zero_grad()\n\t"),))
    return Report(
        files=2,
        findings=[
            Finding(
                "TS101",
                "missing-zero-grad",
                "error",
                "gradients of `optimizer` pile up",
                "each step uses the sum",
                "ä b.py",
                None,
                3,
                2,
                3,
                17,
                {"step": 3, "shapes": [[32, 1], [32]], "share_of_steps": 0.25, "source": True},
                fix,
                (Related("ä b.py", 4, 2, "stepped here"), Related("other.py", 1, 1, "made here")),
            ),
            Finding("TS301", "softmax-before-cross-entropy", "warning", "m", file="ä b.py", line=2, column=1),
            Finding("TS999", "unknown", "advice", "of the whole"),
        ],
        notes=["Detectors took 1.5 % of the time, hook points aside."],
        texts={"ä b.py": TEXT, "other.py": "optimizer = SGD()\n"},
        steps=1200,
        run=WatchedRun(
            ("train.py", "--name", "a b"),
            "2026-01-02 03:04",
            100.0,
            2.0,
            versions={"Python": "3.11.0", "PyTorch": "2.9.0"},
            losses={"train.py:9": [(0, 2.5), (1, 1.5), (2, float("nan"))], "train.py:11": [(0, 1.0)]},
        ),
    )


def test_a_page_says_what_the_run_was_and_what_was_found(report: Report) -> None:
    page = hold_to_contract(html.render(report))
    for words in (
        "1 error, 1 warning and 1 advice in 1,200 steps of train.py",
        "torchstone watch train.py --name 'a b'",
        "100 s",
        "2.0 %",
        "3.11.0",
        "2.9.0",
        "Detectors took 1.5 %",
        "2 of 3 stand in the source alone",
        "Gradients of optimizer pile up",
        "Each step uses the sum",
        "Clear the gradients (torchstone check --fix)",
        "step3",
        "shapes(32, 1), (32,)",
        "share of steps0.25",
        "stepped here",
        "other.py:1",
        "made here",
        "optimizer = SGD()",
        "Of the whole",
        "Use instead",
    ):
        assert words in page.text, words
    assert "sourceyes" not in page.text


def test_a_finding_leads_to_its_explanation_and_shows_its_line(report: Report) -> None:
    text = html.render(report)
    page = hold_to_contract(text)
    assert {"#TS101", "#TS301", "#finding-1", "#file-1"} <= page.links()
    assert "#TS999" not in page.links()
    assert '<tr class="here"><td class="at">3</td>' in text
    assert "<code>\t<mark>loss.backward()</mark></code>" in text
    assert '<tr class="part"><td class="at">4</td>' in text
    assert '<tr class="added"><td class="at">3</td><td class="sign">+</td>' in text
    # One that names a whole line is marked from its first sign on.
    assert "<code>\t<mark>lösung = model(x)</mark></code>" in text


def test_severities_can_be_hidden_where_there_are_several(report: Report) -> None:
    page = hold_to_contract(html.render(report))
    assert {"show-error", "show-warning", "show-advice"} <= page.anchors()
    report.findings = report.findings[:1]
    assert "show-error" not in hold_to_contract(html.render(report)).anchors()


def test_the_losses_are_drawn_where_there_are_two(report: Report) -> None:
    text = html.render(report)
    assert text.count("<svg") == 1
    assert "at train.py:9, at some" in text
    assert "1 of the values are no finite numbers" in text
    report.run = WatchedRun(("train.py",))
    assert "<svg" not in html.render(report)


def test_everything_from_a_program_is_escaped(report: Report) -> None:
    report.texts = {HOSTILE: f"x = '{HOSTILE}'\ny = 1\n", "o<b>.py": HOSTILE}
    report.findings = [
        Finding(
            "TS101",
            HOSTILE,
            "error",
            f"`{HOSTILE}` {HOSTILE}",
            HOSTILE,
            HOSTILE,
            None,
            1,
            3,
            1,
            9,
            {HOSTILE: HOSTILE, "nested": {HOSTILE: [HOSTILE, [HOSTILE]]}, "long": HOSTILE * 99},
            Fix(HOSTILE, False, (Edit(HOSTILE, 1, 1, 1, 1, HOSTILE),)),
            (
                Related("o<b>.py", 1, 1, HOSTILE),
                Related(HOSTILE, 2, 1, HOSTILE),
                Related("gone", 1, 1, HOSTILE),
            ),
        ),
        Finding(HOSTILE, HOSTILE, "warning", HOSTILE, file="\udcff.py"),
    ]
    report.errors = [CheckError(HOSTILE, 1, HOSTILE)]
    report.notes = [HOSTILE]
    report.run = WatchedRun(
        (HOSTILE, HOSTILE),
        HOSTILE,
        1.0,
        0.1,
        HOSTILE,
        HOSTILE,
        {HOSTILE: HOSTILE},
        {HOSTILE: [(0, 1), (1, 2)]},
    )
    text = html.render(report)
    page = hold_to_contract(text)
    assert "<script" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\ud800-\udfff]", text)
    assert page.text.count("alert('1')") > 20


def test_without_findings_it_says_so() -> None:
    page = hold_to_contract(html.render(Report(files=3)))
    assert "No mistake found in 3 files" in page.text
    assert not {"explained", "run", "unchecked"} & page.anchors()
    watched = hold_to_contract(html.render(Report(run=WatchedRun(("-m", "a.train", "-x")))))
    assert "No mistake found in 0 steps of -m a.train" in watched.text
    assert "No step of an optimizer was seen" in watched.text
    assert "module a.train" in watched.text
    assert "There was no Python file" in hold_to_contract(html.render(Report())).text


def test_two_hundred_findings_in_many_files_are_one_page() -> None:
    texts = {f"f{number}.py": "loss.backward()\n" * 20 for number in range(20)}
    findings = [
        Finding(
            "TS101", "missing-zero-grad", "error", f"m{n}", file=f"f{n % 20}.py", line=n // 20 + 1, column=1
        )
        for n in range(200)
    ]
    text = html.render(Report(files=20, findings=findings, texts=texts))
    page = hold_to_contract(text)
    assert page.text.count("Error TS101 missing-zero-grad") == 200
    assert "200 errors in 20 files" in page.text
    assert {f"#file-{number}" for number in range(1, 21)} <= page.links()
    assert len(text) < 400_000


def test_an_explanation_is_there_for_every_mistake() -> None:
    from torchstone.review.index import entries

    findings = [Finding(entry.code, entry.name, "error", "m") for entry in entries()]
    page = hold_to_contract(html.render(Report(findings=findings)))
    assert {entry.code for entry in entries() if entry.code[2] != "0"} <= page.anchors()


def test_a_long_line_and_a_cell_are_shown_around_the_mark() -> None:
    line = f"{'a' * 3000}(here){'b' * 3000}"
    finding = Finding(
        "TS101", "n", "error", "m", file="a.py", line=1, column=3001, end_line=1, end_column=3007
    )
    text = html.render(Report(findings=[finding], texts={"a.py": line}))
    assert "<mark>(here)</mark>" in text
    assert "a" * 500 not in text
    notebook = '{"cells": [{"source": ""}, {"source": "f(x)"}]}'
    finding = Finding("TS101", "n", "error", "m", file="n.ipynb", cell=2, line=1, column=3)
    page = hold_to_contract(html.render(Report(findings=[finding], texts={"n.ipynb": notebook})))
    assert "cell 2, line 1" in page.text
    assert "f(x)" in page.text


def test_a_sentence_does_not_change_a_name() -> None:
    finding = Finding(
        "TS802", "n", "error", "`x` is kept", "state_dict() gives references", file="a.py", line=1
    )
    page = hold_to_contract(html.render(Report(findings=[finding])))
    assert "x is kept" in page.text
    assert "state_dict() gives references" in page.text


def test_many_mistakes_and_files_stand_in_lists_that_can_be_opened() -> None:
    findings = [Finding(f"TS9{n:02}", "n", "error", "m", file=f"{n}.py", line=1) for n in range(20)]
    page = hold_to_contract(html.render(Report(findings=findings)))
    assert "Mistakes 20 of them" in page.text
    assert "Files 20 of them" in page.text


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torchstone", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_watch_writes_the_page_and_tells_of_a_crash(tmp_path: Path) -> None:
    program = """
        import sys
        import torch
        model = torch.nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(30):
            loss = torch.nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1))
            loss.backward()
            optimizer.step()
        print("out")
        raise RuntimeError("<b>broken</b>")
    """
    (tmp_path / "train.py").write_text(textwrap.dedent(program))
    result = python(tmp_path, "watch", "--format", "html", "-o", "page.html", "train.py", "--rate", "1")
    assert (result.stdout, result.returncode) == ("out\n", 1)
    assert "<!doctype" not in result.stderr
    page = hold_to_contract((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "in 30 steps of train.py" in page.text
    assert "TS101 missing-zero-grad" in page.text
    assert "The script ended with RuntimeError: <b>broken</b>" in page.text
    assert 'File "' in page.text
    assert "--rate 1" in page.text
    assert "svg" in {tag for tag, _ in page.tags}


def test_losses_of_optimizers_that_take_turns_are_kept_and_not_too_many() -> None:
    import torch

    from torchstone.review.account import Losses
    from torchstone.review.places import Place

    stream: Any = SimpleNamespace(step=0, sampled=True)
    losses = Losses(stream)
    for turn in range(30_000):
        stream.sampled = turn < 10 or turn % 64 == 0
        stream.step = turn
        event: Any = SimpleNamespace(subject=torch.tensor(float(turn)), place=Place("a.py", turn % 2))
        losses.on_backward(event)
    kept = losses.by_line()
    assert set(kept) == {"a.py:0", "a.py:1"}
    for points in kept.values():
        assert 100 < len(points) <= 256
        assert points[-1][0] > 29_000
        assert all(step == loss for step, loss in points)


def test_watch_needs_a_file_for_the_page(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('ran')")
    result = python(tmp_path, "watch", "--format", "html", "train.py")
    assert (result.stdout, result.returncode) == ("", 2)
    assert "--output findings.html" in result.stderr


def test_a_page_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\n")
    result = python(tmp_path, "watch", "--format", "html", "-o", "no/page.html", "train.py")
    assert result.returncode == 0
    assert "no/page.html cannot be written" in result.stderr
    assert "<!doctype" not in result.stderr


def test_the_page_lies_where_the_command_was_given(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    program = "import os, torch\nos.chdir('elsewhere')\nraise SystemExit(3)\n"
    (tmp_path / "train.py").write_text(program)
    result = python(tmp_path, "watch", "--format", "html", "-o", "page.html", "train.py")
    assert result.returncode == 3
    page = hold_to_contract((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "The script ended with status 3." in page.text


def test_check_prints_the_page_or_writes_it(tmp_path: Path, program: str) -> None:
    (tmp_path / "a.py").write_text(program)
    (tmp_path / "b.py").write_text("def f(:\n")
    printed = python(tmp_path, "check", ".", "--format", "html")
    assert printed.returncode == 1
    page = hold_to_contract(printed.stdout)
    assert "1 file could not be checked" in page.text
    assert "b.py:1" in page.text
    written = python(tmp_path, "check", ".", "--format", "html", "--output", "page.html")
    assert written.stdout == ""
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == printed.stdout
    assert python(tmp_path, "check", ".", "--format", "html", "--statistics").returncode == 2
