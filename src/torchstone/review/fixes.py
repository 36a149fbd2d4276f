"""Edits of fixes brought into a text: exact, in turns where two touch, never breaking it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torchstone.finding import Edit, Finding
from torchstone.review.excerpts import cell_texts
from torchstone.review.notebook import replace_cells
from torchstone.review.report import FileResult
from torchstone.review.syntax.parse import parse

_TURNS = 50
_LINE_END = re.compile(r"\r\n|\r|\n")
_Place = tuple[int, int]
_Span = tuple[int, _Place, _Place]
"""Cell (0 where there are none), and line and column of both ends."""


@dataclass(frozen=True)
class Mended:
    """A text after its fixes: how many were brought in, and what is still found in it."""

    text: str
    count: int
    result: FileResult


def mend(
    text: str,
    path: str,
    result: FileResult,
    check: Callable[[str], FileResult],
    *,
    unsafe: bool = False,
    newline: str = "\n",
) -> Mended:
    """Brings fixes into a text until none is left; what they do not name stays as it is.

    Of fixes that touch the same place the first is brought in, then the text is checked anew. A fix after
    which the text would not parse is left out.

    Args:
        text: the text as it is in the file.
        path: the file's name, which tells notebooks and Markdown from Python.
        result: what was found in it.
        check: finds what there is in another text of the same file.
        unsafe: also fixes that may change what is meant.
        newline: the line end to write.
    """
    count = 0
    seen = {text}
    for _ in range(_TURNS):
        changed, applied = _turn(text, path, result.findings, unsafe, newline)
        if not applied or changed in seen:
            break
        seen.add(changed)
        text, count = changed, count + applied
        result = check(text)
    return Mended(text, count, result)


def is_mendable(finding: Finding, *, unsafe: bool) -> bool:
    """Whether a program can bring in the finding's fix: it has edits, all in the finding's own file."""
    fix = finding.fix
    if fix is None or not fix.edits or not (fix.safe or unsafe):
        return False
    return all(edit.file in ("", finding.file) for edit in fix.edits)


def preview(finding: Finding, lines: Sequence[str]) -> tuple[int, list[str], list[str]] | None:
    """What the finding's fix does to lines: number of the first one, the lines before and after.

    Args:
        finding: one with edits.
        lines: the lines of its file or cell.
    """
    if not is_mendable(finding, unsafe=True) or finding.fix is None:
        return None
    edits = finding.fix.edits
    first = min(edit.line for edit in edits)
    last = min(max(edit.end_line for edit in edits), len(lines))
    new = _edited("\n".join(lines), [edits], "\n")
    if new is None or not 0 < first <= len(lines):
        return None
    after = new.split("\n")
    return first, list(lines[first - 1 : last]), after[first - 1 : last + len(after) - len(lines)]


def _turn(text: str, path: str, findings: Iterable[Finding], unsafe: bool, newline: str) -> tuple[str, int]:
    """The text after one turn, and how many fixes it took."""
    chosen = _without_conflicts([finding for finding in findings if is_mendable(finding, unsafe=unsafe)])
    if not chosen:
        return text, 0
    changed = _written(text, path, chosen, newline)
    if changed is not None and _still_parses(text, changed, path):
        return changed, len(chosen)
    count = 0  # at least one of them breaks the text: one at a time, from the end, so that places stay
    for finding in reversed(chosen):
        changed = _written(text, path, [finding], newline)
        if changed is not None and _still_parses(text, changed, path):
            text, count = changed, count + 1
    return text, count


def _without_conflicts(findings: list[Finding]) -> list[Finding]:
    """The first fixes, of which no two touch; the others wait for the next turn."""
    chosen: list[Finding] = []
    taken: list[_Span] = []
    for finding in sorted(findings, key=lambda finding: min(_spans(finding))):
        spans = _spans(finding)
        if not any(_touch(span, other) for span in spans for other in taken):
            chosen.append(finding)
            taken += spans
    return chosen


def _spans(finding: Finding) -> list[_Span]:
    edits = finding.fix.edits if finding.fix else ()
    return [(finding.cell or 0, (edit.line, edit.column), (edit.end_line, edit.end_column)) for edit in edits]


def _touch(one: _Span, other: _Span) -> bool:
    """Whether two spans overlap, or lie so close that their order would matter."""
    return one[0] == other[0] and one[1] <= other[2] and other[1] <= one[2]


def _written(text: str, path: str, findings: Sequence[Finding], newline: str) -> str | None:
    """The text with the fixes in it, None where an edit names a place that is not there."""
    if not path.lower().endswith(".ipynb"):
        return _edited(text, [finding.fix.edits for finding in findings if finding.fix], newline)
    by_cell: dict[int, list[tuple[Edit, ...]]] = {}
    for finding in findings:
        if finding.cell and finding.fix:
            by_cell.setdefault(finding.cell, []).append(finding.fix.edits)
    texts = cell_texts(text)
    cells = {cell: _edited(texts.get(cell, ""), edits, "\n") for cell, edits in by_cell.items()}
    whole = {cell: new for cell, new in cells.items() if new is not None}
    return replace_cells(text, whole) if len(whole) == len(cells) else None


def _edited(text: str, fixes: Iterable[Sequence[Edit]], newline: str) -> str | None:
    """The text after edits, None where one names a place that is not there, or two overlap."""
    starts = [0, *(found.end() for found in _LINE_END.finditer(text))]
    ends = [*(found.start() for found in _LINE_END.finditer(text)), len(text)]
    replacements = []
    for edit in (edit for edits in fixes for edit in edits):
        start = _offset(edit.line, edit.column, starts, ends)
        end = _offset(edit.end_line, edit.end_column, starts, ends)
        if start is None or end is None or end < start:
            return None
        replacements.append((start, end, edit.text.replace("\r\n", "\n").replace("\n", newline)))
    parts, place = [], 0
    for start, end, new in sorted(replacements, key=lambda item: item[:2]):
        if start < place:
            return None
        parts += [text[place:start], new]
        place = end
    return "".join([*parts, text[place:]])


def _offset(line: int, column: int, starts: list[int], ends: list[int]) -> int | None:
    if line == len(starts) + 1 and column == 1:  # below the last line
        return ends[-1]
    if not 1 <= line <= len(starts) or column < 1:
        return None
    place = starts[line - 1] + column - 1
    return place if place <= ends[line - 1] else None


def _still_parses(before: str, after: str, path: str) -> bool:
    """Whether no program of the file is lost by a change."""
    old, new = parse(before, path), parse(after, path)
    return len(new.errors) <= len(old.errors) and len(new.sources) >= len(old.sources)
