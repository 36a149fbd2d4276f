"""# torchstone: ignore[...]: lets a finding pass, and is reported where it does not."""

from __future__ import annotations

import json

import pytest

import torchstone as ts
from torchstone.review.report import Report

HEAD = """\
import torch
from torch import nn

net = nn.Sequential(nn.Linear(10, 3), nn.Softmax(dim=1))
criterion = nn.CrossEntropyLoss()
"""


def check(code: str, **options: object) -> Report:
    return ts.check("a.py", text=HEAD + code, **options)  # type: ignore[arg-type]


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


@pytest.mark.parametrize(
    "comment",
    [
        "# torchstone: ignore[TS301]",
        "# torchstone: ignore[ts301]",
        "# torchstone: ignore[softmax-before-cross-entropy]",
        "# torchstone: ignore",
        "#torchstone:ignore[TS301]",
        "# noqa: E501  # torchstone: ignore[TS301] on purpose",
    ],
)
def test_a_comment_lets_pass(comment: str) -> None:
    assert codes(check(f"loss = criterion(net(x), y)  {comment}\n")) == []
    assert codes(check("loss = criterion(net(x), y)\n")) == ["TS301"]


def test_it_speaks_for_the_whole_statement() -> None:
    code = "loss = criterion(\n    net(x),\n    y,  # a comment (\n)  # torchstone: ignore[TS301]\n"
    assert codes(check(code)) == []
    code = "loss = criterion(\n    net(x),  # torchstone: ignore[TS301]\n    y,\n)\n"
    assert codes(check(code)) == []


def test_it_does_not_speak_for_other_statements() -> None:
    code = "if x:  # torchstone: ignore[TS301]\n    loss = criterion(net(x), y)\n"
    assert codes(check(code)) == ["TS000", "TS301"]


def test_one_that_lets_nothing_pass_is_reported_with_its_removal() -> None:
    report = check("a = 1  # torchstone: ignore[TS301]\nb = 2\n")
    (finding,) = report.findings
    assert (finding.name, finding.line, finding.column) == ("unused-ignore", 6, 8)
    mended = check("a = 1  # torchstone: ignore[TS301]\nb = 2\n", fix="safe", write=False)
    assert mended.changes[0][2] == f"{HEAD}a = 1\nb = 2\n"


def test_only_the_idle_part_is_removed() -> None:
    code = "loss = criterion(net(x), y)  # torchstone: ignore[TS301, TS101]\n"
    report = check(code, fix="safe", write=False)
    assert report.changes[0][2] == f"{HEAD}loss = criterion(net(x), y)  # torchstone: ignore[TS301]\n"
    assert codes(report) == []


def test_a_line_of_its_own_is_removed_whole() -> None:
    report = check("# torchstone: ignore[TS301]\nb = 2\n", fix="safe", write=False)
    assert report.changes[0][2] == f"{HEAD}b = 2\n"


def test_nothing_is_said_of_codes_that_were_not_looked_for() -> None:
    code = "a = 1  # torchstone: ignore[TS301]\n"
    assert codes(check(code, select=["TS101", "TS000"])) == []
    assert codes(check(code, select=["TS301"])) == []
    assert codes(check(code, select=["TS301", "unused-ignore"])) == ["TS000"]
    assert codes(check(code, ignore=["unused-ignore"])) == []


def test_an_unknown_code_is_said() -> None:
    (finding,) = check("a = 1  # torchstone: ignore[TS999]\n").findings
    assert "TS999 (no such mistake)" in finding.message


def test_text_that_looks_like_one_is_left_alone() -> None:
    assert codes(check("s = '# torchstone: ignore[TS301]'\n# torchstone: ignored\n")) == []


def test_in_a_notebook_and_in_markdown() -> None:
    line = "criterion(net(x), y)  # torchstone: ignore[TS301]"
    cells = [{"cell_type": "code", "source": HEAD}, {"cell_type": "code", "source": [line]}]
    report = ts.check("a.ipynb", text=json.dumps({"cells": cells}))
    assert codes(report) == []
    cells[1]["source"] = ["criterion(net(x), y)"]
    report = ts.check("a.ipynb", text=json.dumps({"cells": cells}))
    assert [(finding.code, finding.cell, finding.line) for finding in report.findings] == [("TS301", 2, 1)]
    assert codes(ts.check("a.md", text=f"# Page\n\n```python\n{HEAD}{line}\n```\n")) == []
