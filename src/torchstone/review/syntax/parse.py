"""Text to a tree: Python files, the cells of a notebook as one program, the Python blocks of Markdown."""

from __future__ import annotations

import ast
import json
import re
import textwrap
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from torchstone.review.report import CheckError

Kind = Literal["python", "notebook", "markdown"]


@dataclass(frozen=True)
class Place:
    """A line of the file as its user sees it; lines count from 1, inside the cell for a notebook."""

    cell: int | None
    line: int
    lead: str = ""
    """What was cut off before the line was parsed: the indentation of its block, a prompt."""

    @property
    def indent(self) -> int:
        """The columns that were cut off."""
        return len(self.lead)


@dataclass(eq=False)
class SourceFile:
    """A program, and where each of its lines stands.

    Args:
        path: the file's name, as given.
        text: what was parsed: the file, the cells of a notebook put together, or one block of Markdown.
        tree: its syntax tree.
        kind: where it came from.
        places: for each line of `text` its place; None when they are the file's own lines.
        complete: False when a cell was left out because it does not parse: what it does cannot be seen.
    """

    path: str
    text: str
    tree: ast.Module
    kind: Kind = "python"
    places: list[Place] | None = field(default=None, repr=False)
    complete: bool = True

    @cached_property
    def lines(self) -> list[str]:
        """The lines of `text`, as the parser counts them."""
        return split_lines(self.text)

    def place(self, line: int) -> Place:
        """Where line `line` (from 1) of `text` stands in the file."""
        if self.places is None:
            return Place(None, line)
        return self.places[min(line, len(self.places)) - 1]

    def column(self, line: int, offset: int) -> int:
        """The column (characters, from 1) of a byte offset that the parser gives."""
        if line > len(self.lines):
            return 1
        text = self.lines[line - 1]
        if not text.isascii():
            offset = len(text.encode()[:offset].decode(errors="ignore"))
        return offset + 1 + self.place(line).indent


@dataclass(frozen=True)
class Parsed:
    """The programs in a file and what could not be read."""

    sources: tuple[SourceFile, ...] = ()
    errors: tuple[CheckError, ...] = ()


def parse(text: str, path: str) -> Parsed:
    """Reads a file's text; never raises: what cannot be read is in `errors`."""
    lower = path.lower()
    if lower.endswith(".ipynb"):
        return _parse_notebook(text, path)
    if lower.endswith((".md", ".markdown")):
        return _parse_markdown(text, path)
    text = text.removeprefix("\ufeff")
    tree = _parse_tree(text)
    if isinstance(tree, _Broken):
        return Parsed(errors=(CheckError(path, tree.line, tree.message),))
    return Parsed((SourceFile(path, text, tree),))


def split_lines(text: str) -> list[str]:
    """Lines as Python's tokenizer counts them: form feeds and the like do not end a line."""
    return re.split(r"\r\n|\r|\n", text)


@dataclass(frozen=True)
class _Broken:
    line: int | None
    message: str


def _parse_tree(text: str) -> ast.Module | _Broken:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        return _Broken(error.lineno, f"does not parse: {error.msg}")
    except ValueError as error:
        return _Broken(None, f"does not parse: {error}")
    except (RecursionError, MemoryError):
        return _Broken(None, "does not parse: nested too deeply")


_LINE_MAGIC = re.compile(r"^(\s*)([%!?].*|.*[^\s#\"']\?{1,2}\s*$)")
_TRANSPARENT = ("%%time", "%%timeit", "%%capture", "%%prun", "%%memit", "%%python3", "%%python")


def _parse_notebook(text: str, path: str) -> Parsed:
    try:
        document = json.loads(text.removeprefix("\ufeff")) if text.strip() else {"cells": []}
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        return Parsed(errors=(CheckError(path, line, "is no notebook: broken JSON"),))
    cells = _cells(document)
    if cells is None:
        return Parsed(errors=(CheckError(path, None, "is no notebook: it has no list of cells"),))
    lines: list[str] = []
    places: list[Place] = []
    errors = []
    for number, cell in enumerate(cells, start=1):
        code = _plain_python(_cell_code(cell))
        broken = _parse_tree(code)
        if isinstance(broken, _Broken):
            errors.append(CheckError(path, broken.line, f"cell {number} {broken.message}"))
            continue  # the other cells are still read
        for index, line in enumerate(split_lines(code), start=1):
            lines.append(line)
            places.append(Place(number, index))
    whole = "\n".join(lines)
    tree = _parse_tree(whole)
    if isinstance(tree, _Broken):
        place = places[tree.line - 1] if tree.line and tree.line <= len(places) else Place(None, 1)
        where = f"cell {place.cell} " if place.cell else ""
        return Parsed(errors=(*errors, CheckError(path, place.line, where + tree.message)))
    return Parsed((SourceFile(path, whole, tree, "notebook", places, not errors),), tuple(errors))


def _cells(document: Any) -> list[Any] | None:
    """The cells of a notebook of format 4 or 3."""
    if not isinstance(document, dict):
        return None
    cells = document.get("cells")
    if cells is None:
        sheets = document.get("worksheets")
        first = sheets[0] if isinstance(sheets, list) and sheets else None
        cells = first.get("cells") if isinstance(first, dict) else None
    return cells if isinstance(cells, list) else None


def _cell_code(cell: Any) -> str:
    """The text of a code cell, `""` for any other."""
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return ""
    code = cell.get("source", cell.get("input", ""))
    if isinstance(code, list):
        code = "".join(part for part in code if isinstance(part, str))
    return code if isinstance(code, str) else ""


def _plain_python(code: str) -> str:
    """A cell without what only IPython understands; the number of lines stays."""
    lines = split_lines(code)
    first = next((index for index, line in enumerate(lines) if line.strip()), None)
    if first is not None and lines[first].startswith("%%"):
        if not lines[first].startswith(_TRANSPARENT):
            return "\n" * (len(lines) - 1)
        lines[first] = ""
    continued = False
    for index, line in enumerate(lines):
        if continued or (_LINE_MAGIC.match(line) and not _is_open(lines[:index])):
            indent = line[: len(line) - len(line.lstrip())]
            lines[index] = "" if continued or not indent else f"{indent}pass"
            continued = line.endswith("\\")
        elif re.match(r"\s*[\w, ]+=\s*[%!]\s*\w", line):
            lines[index] = re.sub(r"=\s*[%!].*", "= None", line)
    return "\n".join(lines)


def _is_open(lines: list[str]) -> bool:
    """Whether a statement of these lines goes on after them, so that a `%` is the rest of a division."""
    import io
    import tokenize

    text = "".join(f"{line}\n" for line in lines)
    try:
        for _ in tokenize.generate_tokens(io.StringIO(text).readline):
            pass
    except tokenize.TokenError:
        return True
    except SyntaxError:  # of lines that are no Python themselves
        return False
    return False


_FENCE = re.compile(r"^(\s*(?:>\s?)*)(```+|~~~+)\s*(.*)$")
_PYTHON = re.compile(
    r"^\{?\.?(?:code-block\}\s*|code\}\s*|code-cell\}\s*)?(?:python|python3|py|pycon|ipython3?)\b",
    re.IGNORECASE,
)


def _parse_markdown(text: str, path: str) -> Parsed:
    """Each block is a program of its own; one that does not parse is a fragment and left out."""
    sources = []
    for first, block in _blocks(split_lines(text.removeprefix("\ufeff"))):
        lines, leads = _dedent(block)
        tree = _parse_tree("\n".join(lines))
        if not isinstance(tree, _Broken):
            places = [Place(None, first + index, lead) for index, lead in enumerate(leads)]
            sources.append(
                SourceFile(path, "\n".join(lines), tree, "markdown", places or [Place(None, first)])
            )
    return Parsed(tuple(sources))


def _blocks(lines: list[str]) -> list[tuple[int, list[str]]]:
    """Each fenced block of Python: the number of its first line and its lines."""
    blocks: list[tuple[int, list[str]]] = []
    fence = ""
    python = False
    for number, line in enumerate(lines, start=1):
        match = _FENCE.match(line)
        if fence:
            if match and match[2].startswith(fence) and not match[3].strip():
                fence = ""
            elif python:
                blocks[-1][1].append(line)
        elif match:
            fence = match[2]
            python = bool(_PYTHON.match(match[3]))
            if python:
                blocks.append((number + 1, []))
    return blocks


def _dedent(block: list[str]) -> tuple[list[str], list[str]]:
    """A block without its common indent and without prompts, and what each line lost."""
    lines = textwrap.dedent("\n".join(block)).split("\n") if block else []
    if any(line.startswith(">>>") for line in lines):
        lines = [line[4:] if line.startswith((">>> ", "... ")) else "" for line in lines]
    return lines, [
        before[: len(before) - len(after)] if after else ""
        for before, after in zip(block, lines, strict=True)
    ]
