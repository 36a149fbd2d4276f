"""The lines of source that a finding is about, with what is said of them, for a page."""

from __future__ import annotations

from dataclasses import dataclass, field

from torchstone.finding import Finding
from torchstone.review.excerpts import Excerpts
from torchstone.review.fixes import preview

_AROUND = 2
"""So many lines before and after are shown."""
_MOST_MARKED = 12
_LONGEST = 400
"""Columns of a line; of a longer one the part with the mark is shown."""
_LONGEST_CHANGE = 40


@dataclass
class Line:
    """A line of source.

    Args:
        number: its number.
        before, marked, after: its text, in the middle what the finding is about.
        kind: `here` where the finding is, `part` where something takes part in it, else nothing.
        notes: what is said of it.
    """

    number: int
    before: str
    marked: str = ""
    after: str = ""
    kind: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass
class Passage:
    """Lines that follow each other.

    Args:
        place: file and line, where that is another file than the finding's.
        lines: the lines; none where the file cannot be read.
        message: what is said of a place that cannot be shown.
    """

    place: str
    lines: list[Line]
    message: str = ""


def passages(finding: Finding, excerpts: Excerpts) -> list[Passage]:
    """What is shown of the finding's file, then of the other files that take part."""
    if finding.file is None:
        return []
    notes: dict[int, list[str]] = {}
    if finding.line is not None:
        for related in finding.related:
            if related.file == finding.file:
                notes.setdefault(related.line, []).append(related.message)
    found = _of_own_file(finding, excerpts, notes)
    for related in finding.related:
        if related.file != finding.file or finding.line is None:
            texts = excerpts.lines(related.file)
            first, last = related.line - _AROUND, related.line + _AROUND
            lines = [_line(number, texts) for number in range(first, last + 1) if 0 < number <= len(texts)]
            for line in lines:
                if line.number == related.line:
                    line.kind, line.notes = "part", [related.message]
            place = f"{related.file}:{related.line}"
            known = any(line.notes for line in lines)
            found.append(Passage(place, lines if known else [], "" if known else related.message))
    return found


def _of_own_file(finding: Finding, excerpts: Excerpts, notes: dict[int, list[str]]) -> list[Passage]:
    texts = excerpts.lines(finding.file or "", finding.cell)
    if finding.line is None or not 0 < finding.line <= len(texts):
        return [Passage(f"{finding.file}:{line}", [], word) for line in notes for word in notes[line]]
    end = min(finding.end_line or finding.line, finding.line + _MOST_MARKED)
    here = range(finding.line, end + 1)
    wanted = {near for line in (*here, *notes) for near in range(line - _AROUND, line + _AROUND + 1)}
    found: list[Passage] = []
    for number in sorted(number for number in wanted if 0 < number <= len(texts)):
        if not found or number > found[-1].lines[-1].number + 1:
            found.append(Passage("", []))
        line = _marked(finding, texts) if number == finding.line else _line(number, texts)
        line.kind = "here" if number in here else "part" if number in notes else ""
        line.notes = notes.get(number, [])
        found[-1].lines.append(line)
    for passage in found:  # empty lines around are no help
        while passage.lines[0].kind == "" and not passage.lines[0].before.strip():
            del passage.lines[0]
        while passage.lines[-1].kind == "" and not passage.lines[-1].before.strip():
            del passage.lines[-1]
    return found


def _line(number: int, texts: list[str]) -> Line:
    text = texts[number - 1].rstrip()
    return Line(number, text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _marked(finding: Finding, texts: list[str]) -> Line:
    """The line with the part that the finding names; from the first sign where it names the whole line."""
    number = finding.line or 1
    text = texts[number - 1].rstrip()
    start = max((finding.column or 1) - 1, len(text) - len(text.lstrip()))
    ends_here = finding.end_column is not None and finding.end_line in (None, number)
    end = (finding.end_column or 1) - 1 if ends_here else len(text)
    end = max(end, start)
    if len(text) <= _LONGEST:
        return Line(number, text[:start], text[start:end], text[end:])
    left = max(0, start - _LONGEST // 3)
    right = left + _LONGEST
    lead, tail = "…" if left else "", "…" if right < len(text) else ""
    return Line(number, lead + text[left:start], text[start : min(end, right)], text[end:right] + tail)


def change(finding: Finding, excerpts: Excerpts) -> list[tuple[str, int, str]]:
    """The finding's fix as signs, numbers and lines of a diff; none where there is none, or a long one."""
    if finding.file is None:
        return []
    found = preview(finding, excerpts.lines(finding.file, finding.cell))
    if found is None:
        return []
    first, before, after = found
    while before and after and before[0] == after[0]:
        first, before, after = first + 1, before[1:], after[1:]
    while before and after and before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
    if len(before) + len(after) > _LONGEST_CHANGE:
        return []
    removed = [("-", number, line) for number, line in enumerate(before, start=first)]
    return removed + [("+", number, line) for number, line in enumerate(after, start=first)]
