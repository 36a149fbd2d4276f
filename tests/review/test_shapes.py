"""The same program in another shape: in the cells of a notebook, and with a part of it in another file."""

from __future__ import annotations

import ast
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.review.test_mistakes import CASES, MARK, ids

from torchstone.review.catalogue import load_catalogue
from torchstone.review.mistake import Mistake
from torchstone.review.source import check_text

READ = [mistake for mistake in load_catalogue() if mistake.check is not None]
NEEDS_ITS_FILE = {"TS407", "TS411", "TS414", "TS508", "TS706", "TS806"}
"""What is judged by all that one file holds, or is found where it stands: a part elsewhere changes that."""

Places = set[tuple[int, str]]


def programs(mistake: Mistake) -> Iterator[str]:
    """The examples and cases of a mistake."""
    yield from (example.code for example in mistake.bad)
    for path in sorted(CASES.rglob(f"{Path(mistake.path).stem}*.py")):
        yield path.read_text()


def marked(text: str, code: str) -> Places:
    lines = enumerate(text.splitlines(), start=1)
    return {(number, code) for number, line in lines if (found := MARK.search(line)) and code in found[1]}


def definitions(tree: ast.Module) -> dict[str, ast.ClassDef | ast.FunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


def movable(text: str, tree: ast.Module) -> list[ast.ClassDef | ast.FunctionDef]:
    """Unmarked classes and functions that use nothing of the file but one another."""
    named = set[str]().union(*(local(node) for node in tree.body))
    defined = definitions(tree)
    found = {
        name: node
        for name, node in defined.items()
        if not MARK.search(source(text, node)) and not used(node) & (named - local(node))
    }
    while wrong := [name for name, node in found.items() if (used(node) & set(defined)) - set(found)]:
        del found[wrong[0]]
    return list(found.values())


def used(node: ast.AST) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


def local(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def source(text: str, node: ast.ClassDef | ast.FunctionDef) -> str:
    start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(text.splitlines()[start - 1 : node.end_lineno])


def in_two_files(text: str) -> tuple[str, str] | None:
    """The program with its movable definitions imported, on its own lines; None where nothing can move."""
    tree = ast.parse(text)
    moved = movable(text, tree)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    if not moved or not imports:
        return None
    lines = text.splitlines()
    header = [line for node in imports for line in lines[node.lineno - 1 : node.end_lineno]]
    parts = "\n".join(header) + "\n\n\n" + "\n\n\n".join(source(text, node) for node in moved) + "\n"
    for node in moved:
        length = len(source(text, node).splitlines())
        lines[(node.end_lineno or 0) - length : node.end_lineno] = [""] * length
    lines[(imports[-1].end_lineno or 0) - 1] += f"; from parts import {', '.join(n.name for n in moved)}"
    return "\n".join(lines) + "\n", parts


@pytest.mark.parametrize("mistake", [m for m in READ if m.code not in NEEDS_ITS_FILE], ids=ids)
def test_a_mistake_is_found_when_a_part_of_its_program_stands_in_another_file(
    mistake: Mistake, tmp_path: Path
) -> None:
    for text in programs(mistake):
        files = in_two_files(text)
        if files is None:
            continue
        (tmp_path / "parts.py").write_text(files[1])
        findings = check_text(files[0], str(tmp_path / "main.py")).findings
        assert {(f.line, f.code) for f in findings if f.code == mistake.code} == marked(text, mistake.code)


def in_cells(text: str) -> tuple[str, dict[tuple[int, int], int]]:
    """The program as a notebook with a cell for each few statements, and the line of each line of a cell."""
    tree, lines = ast.parse(text), text.splitlines()
    starts = [
        min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1 for node in tree.body
    ]
    cuts = [0, *starts[2::2], len(lines)]
    cells, places = [], {}
    for number, (begin, end) in enumerate(itertools.pairwise(cuts), start=1):
        cells.append({"cell_type": "code", "metadata": {}, "source": "\n".join(lines[begin:end])})
        places |= {(number, line - begin + 1): line + 1 for line in range(begin, end)}
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), places


@pytest.mark.parametrize("mistake", READ, ids=ids)
def test_a_mistake_is_found_in_the_cells_of_a_notebook(mistake: Mistake) -> None:
    for text in programs(mistake):
        notebook, places = in_cells(text)
        result = check_text(notebook, "program.ipynb")
        assert not result.errors
        found = {
            (places[f.cell or 0, f.line or 0], f.code) for f in result.findings if f.code == mistake.code
        }
        assert found == marked(text, mistake.code)
