"""Notebooks and Markdown pages with a project's other files: where findings stand, and what `fix` changes."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import torchstone as ts

HELPERS = """\
import torch

def clear(optimizer):
    optimizer.zero_grad()

def log(loss):
    print(float(loss))
"""
IMPORTS = """\
%matplotlib inline
import torch
from torch import nn
from helpers import clear, log
"""
MODEL = """\
!pip install --quiet torch
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
LOOP = """\
%%time
for x in torch.randn(3, 8, 4):
    loss = model(x).pow(2).mean()  # é
    {call}
    loss.backward()
    optimizer.step()
"""


def notebook(*cells: str) -> str:
    made = [{"cell_type": "code", "metadata": {}, "source": cell.splitlines(True)} for cell in cells]
    made.insert(1, {"cell_type": "markdown", "metadata": {}, "source": ["# optimizer.step()\n"]})
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "helpers.py").write_text(HELPERS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_helper_of_another_file_is_followed_from_a_notebook(project: Path) -> None:
    (project / "good.ipynb").write_text(notebook(IMPORTS, MODEL, LOOP.format(call="clear(optimizer)")))
    (project / "bad.ipynb").write_text(notebook(IMPORTS, MODEL, LOOP.format(call="log(loss)")))
    found = ts.check(".").findings
    assert [(f.file, f.code, f.cell, f.line, f.column) for f in found] == [("bad.ipynb", "TS101", 4, 6, 5)]


def test_a_fix_changes_one_line_of_one_cell_and_nothing_else(project: Path) -> None:
    path = project / "bad.ipynb"
    path.write_text(notebook(IMPORTS, MODEL, LOOP.format(call="log(loss)")))
    before = path.read_text().splitlines()
    ts.check(path, fix="safe", write=True)
    after = path.read_text().splitlines()
    added = [line for line in after if line not in before]
    assert [json.loads(line.strip().rstrip(",")) for line in added] == ["    optimizer.zero_grad()\n"]
    assert [line for line in after if line not in added] == before
    report = ts.check(path, fix="safe", write=True)
    assert report.findings == [] == report.changes
    assert path.read_text().splitlines() == after


def test_a_fix_in_markdown_keeps_the_text_around_and_the_indent(project: Path) -> None:
    program = "import torch\nfrom torch import nn\n" + "\n".join(MODEL.splitlines()[1:]) + "\n"
    program += "".join(LOOP.format(call="print(loss)").splitlines(True)[1:])
    block = "".join(f"   {line}" for line in program.splitlines(True))
    path = project / "page.md"
    before = f"# Page\n\n1. First é:\n\n   ```python\n{block}   ```\n\nRest.\n"
    path.write_text(before)
    (finding,) = ts.check(path).findings
    assert (finding.code, finding.line, finding.column) == ("TS101", 14, 8)
    ts.check(path, fix="safe", write=True)
    text = path.read_text()
    added = "       optimizer.zero_grad()\n       loss.backward()\n   "
    assert text == before.replace("       loss.backward()\n   ", added)
    assert ts.check(path).findings == []


def test_a_fix_in_a_session_with_prompts_has_the_prompt_too(project: Path) -> None:
    lines = ["import torch", *MODEL.splitlines()[1:], *LOOP.format(call="print(loss)").splitlines()[1:]]
    lines[1] = lines[1].replace("nn.", "torch.nn.")
    session = "".join(f"{'... ' if line[0] == ' ' else '>>> '}{line}\n" for line in lines)
    path = project / "page.md"
    path.write_text(f"```pycon\n{session}```\n")
    ts.check(path, fix="safe", write=True)
    assert "...     optimizer.zero_grad()\n...     loss.backward()\n" in path.read_text()
    assert ts.check(path).findings == []


def test_a_fix_gives_code_that_parses_whatever_stands_around(project: Path) -> None:
    path = project / "bad.ipynb"
    path.write_text(notebook(IMPORTS, MODEL, "x = (", LOOP.format(call="log(loss)")))
    report = ts.check(path, fix="safe", write=True)
    assert [error.message.split(":")[0] for error in report.errors] == ["cell 4 does not parse"]
    cells = json.loads(path.read_text())["cells"]
    ast.parse("".join(cells[-1]["source"][1:]))
