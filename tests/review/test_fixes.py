"""Fixes: exact edits, in turns, never a file that does not parse, everything else as it was."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import torchstone as ts
from torchstone.finding import Edit, Finding, Fix
from torchstone.review.catalogue import load_catalogue
from torchstone.review.fixes import mend
from torchstone.review.notebook import replace_cells
from torchstone.review.report import FileResult


def finding(*edits: tuple[int, int, int, int, str], safe: bool = True, cell: int | None = None) -> Finding:
    made = tuple(Edit("a.py", *edit) for edit in edits)
    line, column = edits[0][:2]
    return Finding(
        "TS101", "x", "error", "m", file="a.py", cell=cell, line=line, column=column, fix=Fix("f", safe, made)
    )


def once(text: str, *findings: Finding, path: str = "a.py", **options: object) -> str:
    nothing = FileResult()
    return mend(text, path, FileResult(findings), lambda _: nothing, **options).text  # type: ignore[arg-type]


def test_edits_are_exact() -> None:
    text = "a = 1  # keep\n\n\nb  =  [1,\n   2]\n"
    assert (
        once(text, finding((4, 1, 4, 2, "c"), (1, 5, 1, 6, "3"))) == "a = 3  # keep\n\n\nc  =  [1,\n   2]\n"
    )
    assert once(text, finding((1, 1, 2, 1, ""))) == "\n\nb  =  [1,\n   2]\n"
    assert once("a = 1", finding((2, 1, 2, 1, "\nb = 2"))) == "a = 1\nb = 2"


def test_line_ends_stay_and_new_lines_have_them_too() -> None:
    assert once("a = 1\r\nb = 2\r\n", finding((2, 1, 2, 1, "c = 3\n")), newline="\r\n") == (
        "a = 1\r\nc = 3\r\nb = 2\r\n"
    )
    assert once("a = '\x0c'\nb = '\u2028'\nc = 1\n", finding((3, 5, 3, 6, "2"))).endswith("c = 2\n")


def test_columns_count_characters() -> None:
    assert once("s = 'äöü€😀'; a = 1\n", finding((1, 18, 1, 19, "2"))) == "s = 'äöü€😀'; a = 2\n"


def test_a_fix_that_breaks_the_file_is_left_out_and_the_others_are_brought_in() -> None:
    text = "a = 1\nb = 2\nc = 3\n"
    broken, good = finding((2, 5, 2, 6, "(")), finding((3, 5, 3, 6, "4"))
    assert once(text, broken, good) == "a = 1\nb = 2\nc = 4\n"
    assert once(text, broken) == text


@pytest.mark.parametrize(
    "edit", [(9, 1, 9, 2, "x"), (1, 50, 1, 51, "x"), (2, 1, 1, 1, "x"), (0, 0, 1, 1, "x")]
)
def test_an_edit_that_names_no_place_changes_nothing(edit: tuple[int, int, int, int, str]) -> None:
    assert once("a = 1\nb = 2\n", finding(edit)) == "a = 1\nb = 2\n"


def test_edits_of_one_fix_that_overlap_change_nothing() -> None:
    assert once("abc = 1\n", finding((1, 1, 1, 3, "x"), (1, 2, 1, 4, "y"))) == "abc = 1\n"


def test_unsafe_fixes_wait_until_they_are_asked_for() -> None:
    fix = finding((1, 5, 1, 6, "2"), safe=False)
    assert once("a = 1\n", fix) == "a = 1\n"
    assert once("a = 1\n", fix, unsafe=True) == "a = 2\n"


def test_fixes_that_touch_are_brought_in_one_after_the_other() -> None:
    """Each 1 is to become 2, and both edits name the whole line."""

    def check(text: str) -> FileResult:
        line = text.split("\n")[0]
        ones = [place for place, sign in enumerate(line) if sign == "1"]
        fixed = [line[:place] + "2" + line[place + 1 :] for place in ones]
        return FileResult(tuple(finding((1, 1, 1, len(line) + 1, new)) for new in fixed))

    mended = mend("a = [1, 1, 1]\n", "a.py", check("a = [1, 1, 1]\n"), check)
    assert (mended.text, mended.count) == ("a = [2, 2, 2]\n", 3)


def test_fixes_in_circles_come_to_an_end() -> None:
    def check(text: str) -> FileResult:
        return FileResult((finding((1, 5, 1, 6, "2" if "1" in text else "1")),))

    assert mend("a = 1\n", "a.py", check("a = 1\n"), check).text in ("a = 1\n", "a = 2\n")


def test_a_fix_of_another_file_is_not_brought_in() -> None:
    other = Finding("TS101", "x", "error", "m", file="b.py", line=1, fix=finding((1, 5, 1, 6, "2")).fix)
    assert once("a = 1\n", other) == "a = 1\n"


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 8), st.integers(0, 3), st.text("ab(=\n ", max_size=4))
    )
)
def test_whatever_the_edits_the_file_parses(edits: list[tuple[int, int, int, str]]) -> None:
    text = "a = 1\nb = (2)\n\nif a:\n    b\n"
    findings = [finding((line, column, line, column + length, new)) for line, column, length, new in edits]
    ast.parse(once(text, *findings))


def test_a_notebook_changes_in_its_cell_only() -> None:
    notebook = json.dumps(
        {
            "cells": [
                {"cell_type": "markdown", "source": ["# é\n", "text"]},
                {"source": ["import torch\n", "a = 1\n", "b = 'ü'"], "cell_type": "code", "outputs": [1e5]},
                {"cell_type": "code", "source": "c = 1"},
            ],
            "nbformat": 4,
        },
        indent=1,
        ensure_ascii=False,
    )
    text = once(
        notebook, finding((2, 5, 2, 6, "2"), cell=2), finding((1, 5, 1, 6, "3"), cell=3), path="a.ipynb"
    )
    assert text == notebook.replace("a = 1", "a = 2").replace("c = 1", "c = 3")
    assert replace_cells(notebook, {9: "x"}) is None
    assert replace_cells('{"cells": 3}', {1: "x"}) is None


UNUSED = b"a = 1  # torchstone: ignore[TS301]"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"import torch\r\n" + UNUSED + b"\r\nb = 2\r\n", b"import torch\r\na = 1\r\nb = 2\r\n"),
        (b"\xef\xbb\xbfimport torch\n" + UNUSED, b"\xef\xbb\xbfimport torch\na = 1"),
        (
            b"# -*- coding: latin-1 -*-\nimport torch\ns = '\xe9'\n" + UNUSED + b"\n",
            b"# -*- coding: latin-1 -*-\nimport torch\ns = '\xe9'\na = 1\n",
        ),
    ],
)
def test_bytes_that_no_fix_names_stay(folder: Path, before: bytes, after: bytes) -> None:
    path = folder / "a.py"
    path.write_bytes(before)
    path.chmod(0o754)
    report = ts.check("a.py", fix="safe")
    assert path.read_bytes() == after
    assert path.stat().st_mode & 0o777 == 0o754
    assert (report.fixed, report.findings) == (1, [])
    assert [entry.name for entry in folder.iterdir()] == ["a.py"]
    assert ts.check("a.py", fix="safe").fixed == 0
    assert path.read_bytes() == after


def test_a_link_stays_a_link(folder: Path) -> None:
    (folder / "real.py").write_bytes(b"import torch\n" + UNUSED + b"\n")
    (folder / "link.py").symlink_to("real.py")
    ts.check("link.py", fix="safe")
    assert os.readlink("link.py") == "real.py"
    assert (folder / "real.py").read_bytes() == b"import torch\na = 1\n"


def test_fixes_of_the_catalogue_are_safe_to_repeat() -> None:
    for mistake in load_catalogue():
        for example in mistake.bad:
            report = ts.check("a.py", text=example.code, select=[mistake.code], fix="unsafe")
            assert bool(report.changes) == (example.fixed is not None), mistake.code
            for _, _, text in report.changes:
                ast.parse(text)
                again = ts.check("a.py", text=text, select=[mistake.code], fix="unsafe")
                assert again.changes == [], mistake.code
