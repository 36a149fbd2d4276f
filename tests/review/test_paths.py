"""A check of files and folders: settings, jobs, cache, and input that no tool should fall over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import torchstone as ts
from torchstone.errors import ConfigError, UsageError
from torchstone.review import paths as module
from torchstone.review import report as report_module
from torchstone.review.cache import FOLDER
from torchstone.review.paths import CheckOptions, Options
from torchstone.review.report import Report


def places(report: Report) -> list[tuple[str | None, str, int | None]]:
    return [(finding.file, finding.code, finding.line) for finding in report.findings]


def test_the_keywords_are_the_options() -> None:
    assert list(CheckOptions.__annotations__) == list(Options.__dataclass_fields__)


def test_a_folder_is_checked_file_by_file_in_order(folder: Path, program: str) -> None:
    (folder / "b.py").write_text(program)
    (folder / "a").mkdir()
    (folder / "a" / "c.py").write_text("\n" + program)
    (folder / "clean.py").write_text("import torch\n")
    report = ts.check(".")
    assert report.files == 3
    assert places(report) == [("a/c.py", "TS301", 10), ("b.py", "TS301", 9)]
    assert report.failed
    assert ts.check(folder / "clean.py").failed is False


def test_settings_next_to_the_files_hold(folder: Path, program: str) -> None:
    (folder / "tests").mkdir()
    for name in ("a.py", "tests/b.py", "old.py"):
        (folder / name).write_text(program)
    (folder / "pyproject.toml").write_text(
        '[tool.torchstone.check]\nextend-exclude = ["old.py"]\n'
        'per-file-ignores = { "tests/*" = ["softmax-before-cross-entropy"] }\nfail-on = "warning"\n'
    )
    assert places(ts.check(".")) == [("a.py", "TS301", 9)]
    assert ts.check(".", select=["TS1"]).files == 2
    assert places(ts.check(folder)) == [(str(folder / "a.py"), "TS301", 9)]
    assert not ts.check("a.py", ignore=["TS3"]).failed


def test_several_processes_find_the_same_in_the_same_order(folder: Path, program: str) -> None:
    for number in range(20):
        (folder / f"f{number:02}.py").write_text("\n" * number + program)
    (folder / "broken.py").write_text("def f(:\n")
    one, two = ts.check(".", jobs=1), ts.check(".", jobs=2)
    assert one.to_json() == two.to_json()
    assert len(one.findings) == 20
    assert [error.file for error in one.errors] == ["broken.py"]


def test_results_are_kept_by_content(folder: Path, program: str) -> None:
    (folder / "a.py").write_text(program)
    (folder / "b.py").write_text("import torch\n")
    first = ts.check(".", cache=True)
    assert (folder / FOLDER / ".gitignore").read_text() == "*\n"
    (kept,) = (folder / FOLDER).glob("*.json")
    document = json.loads(kept.read_text())
    key = str(folder / "a.py")
    document["files"][key]["findings"][0]["message"] = "from the cache"
    kept.write_text(json.dumps(document))
    assert ts.check(".", cache=True).findings[0].message == "from the cache"
    os.utime("a.py", (1, 1))  # only the content counts
    assert ts.check(".", cache=True).findings[0].message == "from the cache"
    (folder / "a.py").write_text(f"{program}\n")
    assert ts.check(".", cache=True).to_json() == first.to_json()
    assert places(ts.check(".", cache=True, ignore=["TS301"])) == []


def test_a_result_falls_with_a_file_that_it_depends_on(folder: Path) -> None:
    (folder / "train.py").write_text(
        "import torch\nfrom torch import nn\nfrom net import Net\n\nnet = Net()\n"
        "criterion = nn.CrossEntropyLoss()\n\ndef f(x, y):\n    return criterion(net(x), y)\n"
    )
    head = "import torch\nfrom torch import nn\n\nclass Net(nn.Module):\n    def forward(self, x):\n"
    assert places(ts.check("train.py", cache=True)) == []  # there is no net.py yet
    (folder / "net.py").write_text(f"{head}        return torch.softmax(x, 1)\n")
    assert places(ts.check("train.py", cache=True)) == [("train.py", "TS301", 9)]
    (folder / "net.py").write_text(f"{head}        return x\n")
    assert places(ts.check("train.py", cache=True)) == []


def test_a_result_falls_with_what_its_dependencies_depend_on(folder: Path) -> None:
    (folder / "train.py").write_text(
        "import torch\nfrom torch import nn\nfrom net import Net\n\nnet = Net()\n"
        "criterion = nn.CrossEntropyLoss()\n\ndef f(x, y):\n    return criterion(net(x), y)\n"
    )
    (folder / "net.py").write_text(
        "import torch\nfrom torch import nn\nfrom blocks import last\n\nclass Net(nn.Module):\n"
        "    def forward(self, x):\n        return last(x)\n"
    )
    (folder / "blocks.py").write_text("import torch\n\ndef last(x):\n    return torch.softmax(x, 1)\n")
    assert places(ts.check("train.py", cache=True)) == [("train.py", "TS301", 9)]
    (folder / "blocks.py").write_text("import torch\n\ndef last(x):\n    return x\n")
    assert places(ts.check("train.py", cache=True)) == []


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', '{"files": {"x": 3}}', "\0"])
def test_a_broken_cache_is_no_cache(folder: Path, program: str, text: str) -> None:
    (folder / "a.py").write_text(program)
    ts.check("a.py", cache=True)
    (kept,) = (folder / FOLDER).glob("*.json")
    kept.write_text(text.replace("x", str(folder / "a.py")))
    assert places(ts.check("a.py", cache=True)) == [("a.py", "TS301", 9)]


def test_a_cache_that_cannot_be_written_is_none(folder: Path, program: str) -> None:
    (folder / "a.py").write_text(program)
    (folder / FOLDER).write_text("a file in its way")
    assert places(ts.check("a.py", cache=True)) == [("a.py", "TS301", 9)]


def test_nothing_is_written_unless_it_is_asked_for(folder: Path, program: str) -> None:
    (folder / "a.py").write_text(program)
    ts.check(".")
    assert [path.name for path in folder.iterdir()] == ["a.py"]


def notebook(*cells: str) -> bytes:
    made = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    return json.dumps({"cells": made, "nbformat": 4}).encode()


BROKEN = {
    "syntax.py": (b"import torch\n\ndef f(:\n    pass\n", 3, "does not parse"),
    "python2.py": (b"import torch\nprint 'loss', loss\n", 2, "does not parse"),
    "tabs.py": (b"if x:\n\ta = 1\n        b = 2\n", 3, "does not parse"),
    "null.py": (b"import torch\na = 1\x00\n", None, "null"),
    "latin.py": (b"import torch\n# \xe9\n", 2, "not valid utf-8"),
    "unknown.py": (b"# coding: klingon\nimport torch\n", 1, "unknown encoding: klingon"),
    "codec.py": (b"# coding: rot13\nimport torch\n", 1, "not a text encoding"),
    "binary.py": (bytes(range(256)) * 9, None, "not valid utf-8"),
    "deep.py": (b"import torch\nx = " + b"(" * 5000 + b")" * 5000 + b"\n", None, "does not parse"),
    "json.ipynb": (b'{"cells": [', 1, "broken JSON"),
    "list.ipynb": (b"[1, 2]", None, "no list of cells"),
    "cell.ipynb": (notebook("import torch", "def f(:"), 1, "cell 2 does not parse"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_read_is_told_and_the_run_goes_on(
    folder: Path, name: str, program: str
) -> None:
    data, line, words = BROKEN[name]
    (folder / name).write_bytes(data)
    (folder / "good.py").write_text(program)
    report = ts.check(".")
    (error,) = report.errors
    assert error.file == name
    assert words in error.message
    assert line is None or error.line == line
    assert places(report) == [("good.py", "TS301", 9)]
    assert report.failed
    assert ts.check(name, select=["TS1"]).failed


def test_encodings_line_ends_and_marks(folder: Path, program: str) -> None:
    files = {
        "latin.py": f"# -*- coding: latin-1 -*-\n# é\n{program}".encode("latin-1"),
        "mark.py": b"\xef\xbb\xbf" + program.encode(),
        "utf16.py": program.encode("utf-16"),
        "windows.py": program.replace("\n", "\r\n").encode(),
        "mac.py": program.replace("\n", "\r").encode(),
        "sjis.py": f"# vim: set fileencoding=shift_jis :\n# 損失\n{program}".encode("shift_jis"),
        "feed.py": program.replace("\n\n\n", "\n\x0c\n\n").encode(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    report = ts.check(".")
    assert report.errors == []
    lines = {finding.file: finding.line for finding in report.findings}
    assert lines == {name: 11 if name in ("latin.py", "sjis.py") else 9 for name in files}


def test_columns_count_characters(folder: Path) -> None:
    code = "from torch import nn\nnet = nn.Softmax(1)\nc = nn.CrossEntropyLoss()\ns = '€é😀'; c(net(x), y)\n"
    (finding,) = ts.check("a.py", text=code).findings
    assert (finding.line, finding.column, finding.end_column) == (4, 12, 24)


def test_files_of_no_use_give_nothing(folder: Path) -> None:
    for name, data in {
        "a.py": b"",
        "b.ipynb": b"",
        "c.md": b"",
        "d.py": b"\n\n",
        "e.py": b"# only",
        "f.md": b"\xff",
    }.items():
        (folder / name).write_bytes(data)
    report = ts.check(".")
    assert report.findings == []
    assert {error.file for error in report.errors} <= {"f.md"}


def test_a_notebook_with_magics(folder: Path, program: str) -> None:
    (folder / "a.ipynb").write_bytes(
        notebook("%matplotlib inline\n!pip install torch\nimport os", "%%bash\nls (", "%%time\n" + program)
    )
    report = ts.check(".")
    assert report.errors == []
    assert [(finding.cell, finding.line) for finding in report.findings] == [(3, 10)]


def test_a_line_that_goes_on_with_a_percent_sign_is_no_magic(folder: Path, program: str) -> None:
    (folder / "a.ipynb").write_bytes(
        notebook("%time 1\nprint('%d'\n      % (1\n         + 2))\n%time 3", program)
    )
    report = ts.check(".")
    assert report.errors == []
    assert [(finding.cell, finding.line) for finding in report.findings] == [(2, 9)]


def test_blocks_of_markdown_stand_at_their_lines_and_fragments_are_let_be(folder: Path, program: str) -> None:
    text = f"# Page\n\n```python\n{program}```\n\n```python\nfor x in ...:\n```\n\n```bash\nls\n```\n"
    (folder / "a.md").write_text(text)
    report = ts.check(".")
    assert (places(report), report.errors) == ([("a.md", "TS301", 12)], [])


@pytest.mark.slow
def test_ten_megabytes_are_no_hang(folder: Path) -> None:
    (folder / "data.py").write_text("values = [\n" + "    1234567890,\n" * 700_000 + "]\n")
    start = time.process_time()
    assert ts.check(".").findings == []
    assert time.process_time() - start < 30


@pytest.mark.parametrize(
    "code",
    [
        "x = " + "-" * 3000 + "1\n",
        "x = " + "+".join(["a"] * 5000) + "\n",
        "x = a" + ".b" * 3000 + "\n",
        "x = f" + "(1)" * 3000 + "\n",
        "".join("    " * depth + "if a:\n" for depth in range(90)) + "    " * 90 + "pass\n",
        "if a:\n    pass\n" + "elif a:\n    pass\n" * 3000,
        "x = lambda: " * 1000 + "1\n",
    ],
    ids=["signs", "sum", "attributes", "calls", "ifs", "elifs", "lambdas"],
)
def test_deep_nesting_is_no_crash(code: str) -> None:
    report = ts.check("a.py", text="import torch\n" + code)
    assert report.findings == []
    assert all("please report" not in error.message for error in report.errors)


def test_a_file_that_goes_away_is_told(folder: Path) -> None:
    (folder / "a.py").write_text("import torch\n")
    check = module._Check(["."], Options())
    found = check._discover(["."])
    (folder / "a.py").unlink()
    list(check._results(found.files))
    assert [(error.file, error.message) for error in check.report.errors] == [
        ("a.py", "no such file or directory")
    ]


def test_a_file_that_changes_is_not_written_over(folder: Path) -> None:
    path = folder / "a.py"
    path.write_text("import torch\na = 1  # torchstone: ignore[TS301]\n")
    check = module._Check(["."], Options(fix="safe"))
    ((job, result),) = check._results(["a.py"])
    path.write_text("import torch\nb = 1\n")
    left = check._mended_file(job, result)
    assert path.read_text() == "import torch\nb = 1\n"
    assert "changed while it was checked" in left.errors[0].message
    assert (check.report.fixed, check.report.changes) == (0, [])


def test_an_editor_s_text_is_checked_in_place_of_the_file(folder: Path, program: str) -> None:
    (folder / "a.py").write_text("import torch\n")
    (folder / "pyproject.toml").write_text('[tool.torchstone.check]\nper-file-ignores = {"b.py" = ["all"]}\n')
    assert places(ts.check("a.py", text=program)) == [("a.py", "TS301", 9)]
    assert places(ts.check("b.py", text=program)) == []
    assert places(ts.check(text=program)) == [("text.py", "TS301", 9)]
    with pytest.raises(UsageError, match="one name"):
        ts.check("a.py", "b.py", text=program)


def test_wrong_words_are_errors_of_the_user(folder: Path) -> None:
    with pytest.raises(UsageError, match="no file or folder"):
        ts.check("nowhere")
    with pytest.raises(ConfigError, match="no mistake"):
        ts.check(".", select=["TS999"])


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet="import torch\n()[]{}=:.,'\"#\\ \t%!`éa1\x0c\r", max_size=200),
    st.sampled_from(["py", "ipynb", "md"]),
)
def test_whatever_the_text_there_is_a_report(text: str, suffix: str) -> None:
    for code in (text, f"import torch\n{text}", f"```python\nimport torch\n{text}\n```"):
        report = ts.check(f"a.{suffix}", text=code)
        assert all("please report" not in error.message for error in report.errors)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 400),
    st.integers(0, 60),
    st.sampled_from(["", "(", "\n", "    ", "'", "lambda: ", "\x00", "é"]),
)
def test_a_program_with_a_piece_missing_is_no_crash(start: int, length: int, new: str) -> None:
    text = "import torch\n" + Path(report_module.__file__).read_text(encoding="utf-8")
    report = ts.check("a.py", text=text[:start] + new + text[start + length :])
    assert all("please report" not in error.message for error in report.errors)


def test_no_torch_is_needed(folder: Path, program: str) -> None:
    (folder / "a.py").write_text(program)
    heavy = ["torch", "numpy", "pydantic", "rich", "cyclopts"]
    blocked = f"import sys\nfor name in {heavy}: sys.modules[name] = None\n"
    run = "from torchstone.cli import run\nsys.exit(run(['check', 'a.py', '--format', 'concise']))"
    result = subprocess.run(
        [sys.executable, "-c", blocked + run], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1, result.stderr
    assert result.stdout.startswith("a.py:9:")
