"""Python, notebooks and Markdown as programs, with the places of their lines; input that cannot be read."""

from __future__ import annotations

import ast
import json

import pytest

from torchstone.review.source import check_text
from torchstone.review.syntax.parse import parse

LOOP = """\
import torch
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(3, 4, 2):
    model(x).sum().backward()
    optimizer.step()
"""


def notebook(*cells: str) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": cell.splitlines(True)} for cell in cells]})


def test_findings_of_a_notebook_have_the_cell_and_the_line_in_it() -> None:
    lines = LOOP.splitlines(keepends=True)
    cells = ["%matplotlib inline\n" + "".join(lines[:3]), "!pip install torch\n" + "".join(lines[3:])]
    (finding,) = check_text(notebook(*cells), "train.ipynb").findings
    assert (finding.code, finding.cell, finding.line) == ("TS101", 2, 4)
    assert finding.fix
    assert [(edit.line, edit.text) for edit in finding.fix.edits] == [(3, "optimizer.zero_grad()\n    ")]


def test_a_broken_cell_does_not_hide_the_others() -> None:
    result = check_text(notebook("x = (", LOOP), "train.ipynb")
    assert [error.message.split(":")[0] for error in result.errors] == ["cell 1 does not parse"]
    assert [finding.code for finding in result.findings] == ["TS101"]


def test_what_a_broken_cell_may_have_done_is_not_guessed() -> None:
    evaluation = (
        "import torch\nmodel = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())\n"
        "test_loader = torch.utils.data.DataLoader([])\n"
    )
    loop = "with torch.no_grad():\n    for x in test_loader:\n        model(x)\n"
    assert [f.code for f in check_text(notebook(evaluation, loop), "a.ipynb").findings] == ["TS201"]
    assert not check_text(notebook(evaluation, "model.eval(", loop), "a.ipynb").findings


@pytest.mark.parametrize(
    "cell",
    [
        "%%bash\nrm -rf (",
        "%load_ext autoreload\nx = 1",
        "files = !ls\nprint(files)",
        "torch?",
        "if True:\n    %time f()",
    ],
)
def test_what_only_ipython_understands_is_no_error(cell: str) -> None:
    parsed = parse(notebook(cell), "a.ipynb")
    assert not parsed.errors
    assert len(parsed.sources[0].lines) == len(cell.splitlines())


def test_the_lines_of_a_time_cell_are_read() -> None:
    tree = parse(notebook("%%time\nx = 1"), "a.ipynb").sources[0].tree
    assert ast.unparse(tree) == "x = 1"


def test_findings_of_markdown_have_the_lines_and_columns_of_the_file() -> None:
    indented = "".join(f"  {line}" for line in LOOP.splitlines(keepends=True))
    text = f"# Guide\n\n- A loop:\n\n  ```python\n{indented}  ```\n\n```console\n$ python x.py\n```\n"
    (finding,) = check_text(text, "guide.md").findings
    assert (finding.line, finding.column) == (11, 7)


def test_a_fragment_of_markdown_that_does_not_parse_is_left_out() -> None:
    assert check_text("```python\nfor x in loader: ... else\n```\n", "a.md").errors == ()


def test_prompts_of_a_console_session_are_no_code() -> None:
    text = "```python\n>>> x = 1\n>>> for i in [1]:\n...     print(i)\n1\n```\n"
    assert ast.unparse(parse(text, "a.md").sources[0].tree) == "x = 1\nfor i in [1]:\n    print(i)"


@pytest.mark.parametrize(
    ("text", "line"),
    [("import torch\nx = (\n", 2), ("import torch\nprint 'torch'\n", 2), ("import torch\n\0", None)],
)
def test_a_file_that_does_not_parse_is_an_error_at_its_line(text: str, line: int | None) -> None:
    result = check_text(text, "a.py")
    assert [error.line for error in result.errors] == [line]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"cells": 3}', '{"cells": [3, {"cell_type": "code"}]}', "null"]
)
def test_any_json_is_read_as_a_notebook_or_is_an_error(text: str) -> None:
    check_text(text, "a.ipynb")


def test_columns_count_characters_and_a_byte_order_mark_is_no_column() -> None:
    text = "\ufeffimport torch\nx = 'é'; y = torch.symeig(torch.eye(2))\n"
    (finding,) = check_text(text, "a.py").findings
    assert (finding.line, finding.column) == (2, 14)


HEAD = "import torch\n"
NESTED = {
    "sum": HEAD + "y = " + " + ".join(["torch.ones(1)"] * 900),
    "attributes": HEAD + "z = torch" + ".a" * 900,
    "calls": HEAD + "z = torch" + ".a()" * 900,
    "elif": HEAD
    + "if x == 0:\n    pass\n"
    + "".join(f"elif x == {i}:\n    torch.save()\n" for i in range(400)),
    "loops": HEAD
    + "".join("    " * i + f"for i{i} in x:\n" for i in range(19))
    + "    " * 19
    + "loss.backward()\n",
    "lambda": HEAD + "f = " + "lambda: " * 90 + "torch",
    "brackets": HEAD + "x = " + "(" * 300 + "1" + ")" * 300,
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_deep_nesting_ends(text: str) -> None:
    check_text(text, "a.py")


def test_names_that_lead_to_themselves_end() -> None:
    text = (
        "import torch\nx = x\ny, y = y\nf = f(f)(f)\n"
        "def a(v): return b(v)\ndef b(v): return a(v)\na(torch)\n"
        "class A(A): pass\nclass B(C): pass\nclass C(B): pass\n"
        "class D(torch.nn.Module):\n    def __init__(self): self.d = D()\n"
        "    def forward(self, x): return self.d(x)\n"
        "torch.nn.functional.cross_entropy(D()(1), 2)\n"
    )
    check_text(text, "a.py")
