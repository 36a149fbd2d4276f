"""Findings for people: the lines of the program with what is wrong below them, why, and the fix."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator

from torchstone.finding import Finding, Related
from torchstone.review.excerpts import Excerpts
from torchstone.review.fixes import is_mendable, preview
from torchstone.review.report import CheckError, Report
from torchstone.review.statistics import count_by_mistake

_STYLES = {
    "error": "1;31",
    "warning": "1;33",
    "advice": "1;36",
    "strong": "1",
    "gutter": "94",
    "faint": "2",
    "added": "32",
    "removed": "31",
}
_TAB = "    "
_LEAST_WIDTH = 40
_MOST_MODULES = 4
"""So many on the way to an error are shown."""


def render(
    report: Report, *, colour: bool = False, width: int = 100, wrap: bool = False, mend: str = ""
) -> str:
    """The findings with excerpts, the files that could not be checked, and a closing line.

    Args:
        report: what was found.
        colour: whether the terminal shows colours.
        width: the width to wrap to, in columns.
        wrap: wrap what is one line in a file, too, as a terminal would break it in the middle of a word.
        mend: the command that has the flags that mend, where it is another one.
    """
    page = _Page(Excerpts(report.texts), colour, max(width, _LEAST_WIDTH), wrap=wrap, mend=mend)
    blocks = [page.error(error) for error in report.errors]
    blocks += [page.finding(finding) for finding in report.findings]
    return "".join(f"{block}\n" for block in blocks) + summary(report, colour=colour)


def render_statistics(report: Report, *, colour: bool = False) -> str:
    """A table of how often each mistake was found, `[*]` where a program can mend it, and a closing line."""
    paint = _Paint(colour)
    rows = count_by_mistake(report)
    digits = max((len(str(row.count)) for row in rows), default=1)
    names = max((len(row.name) for row in rows), default=1)
    lines = [
        f"{row.count:>{digits}}  {paint(row.code, row.severity)}  {row.name:<{names}}  {row.severity:<7}"
        f"{'  [*]' if row.fixable else ''}".rstrip()
        for row in rows
    ]
    return "".join(f"{line}\n" for line in lines) + summary(report, colour=colour)


def summary(report: Report, *, colour: bool = False) -> str:
    """What was found, in one or a few lines."""
    paint = _Paint(colour)
    lines = []
    if report.fixed:
        lines.append(f"Fixed {_many(report.fixed, 'mistake')}.")
    counts = {severity: count for severity, count in report.counts().items() if count}
    files = f"in {_many(report.files, 'file')}"
    if counts:
        parts = [
            paint(f"{count} advice" if severity == "advice" else _many(count, severity), severity)
            for severity, count in counts.items()
        ]
        left = " left" if report.fixed else ""
        lines.append(f"Found {_and(parts)}{left} {files}.{_offer(report)}{_known(report)}")
    elif report.files and not report.errors:
        new = "new " if report.known else ""
        lines.append(
            f"{'Nothing is left' if report.fixed else f'No {new}mistakes found'} {files}.{_known(report)}"
        )
    elif not report.files and not report.errors:
        lines.append("There was no Python file, notebook or Markdown page to check.")
    if report.errors:
        broken = len({error.file for error in report.errors})
        lines.append(paint(f"{_many(broken, 'file')} could not be checked, or not as a whole.", "error"))
    return "".join(f"{line}\n" for line in [*lines, *report.notes])


class _Paint:
    """Puts the colour's codes around a text, or leaves it."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour and text else text


class _Page:
    """Draws findings for one width."""

    def __init__(
        self, excerpts: Excerpts, colour: bool, width: int, *, wrap: bool = False, mend: str = ""
    ) -> None:
        self.excerpts = excerpts
        self.paint = _Paint(colour)
        self.width = width
        self.wrap = wrap
        self.mend = mend

    def error(self, error: CheckError) -> str:
        """A file that could not be checked."""
        place = f"{error.file}:{error.line}" if error.line else error.file
        head = f"{self.paint('error', 'error')}{self.paint(f': {printable(error.message)}', 'strong')}"
        lines = [head, f"  {self.paint('-->', 'gutter')} {printable(place)}"]
        text = None if " cell " in f" {error.message}" else self.excerpts.line(error.file, None, error.line)
        if text and text.strip():
            gutter = len(str(error.line))
            lines.append(self._source(gutter, error.line, text, 1))
        return "\n".join(lines) + "\n"

    def finding(self, finding: Finding) -> str:
        """One finding: head, place, excerpt, other places, why, fix."""
        head = self._head(finding)
        cell = f"cell {finding.cell}:" if finding.cell else ""
        place = printable(f"{finding.file}:{cell}{finding.line or 1}:{finding.column or 1}")
        gutter = len(str(max([finding.line or 1, *(other.line for other in finding.related)])))
        shown = [] if finding.file is None else [f"{' ' * gutter} {self.paint('-->', 'gutter')} {place}"]
        lines = [*head, *shown]
        lines += self._excerpt(finding, gutter)
        for note, text in (
            ("why", finding.why),
            ("run", finding.evidence.get("agreement")),
            ("way", _way(finding)),
            ("fix", finding.fix and _described(finding, self.mend)),
        ):
            if text:
                lines += self._note(gutter, note, text)
        lines += self._change(finding, gutter)
        return "\n".join(lines) + "\n"

    def _head(self, finding: Finding) -> list[str]:
        """What is wrong, in one line or, on a terminal, as many as it takes."""
        code, name = f"{finding.severity}[{finding.code}]", finding.name
        first, *others = self._broken(f"{code} {name}: {printable(finding.message)}", 2)
        rest = first.removeprefix(f"{code} {name}")
        painted = f"{self.paint(code, finding.severity)} {name}{self.paint(rest, 'strong')}"
        if len(rest) == len(first):  # so narrow that the name went to a line of its own
            return [self.paint(line, "strong") for line in (first, *others)]
        return [painted, *(self.paint(line, "strong") for line in others)]

    def _broken(self, text: str, indent: int) -> list[str]:
        """A text in lines of a terminal, the first one as it is, the others behind an indent."""
        if not self.wrap or columns(text) <= self.width:
            return [text]
        lines = textwrap.wrap(
            text, self.width, subsequent_indent=" " * indent, break_on_hyphens=False, drop_whitespace=True
        )
        return lines or [text]

    def _excerpt(self, finding: Finding, gutter: int) -> Iterator[str]:
        """The offending line with carets and, in the order of lines, the other places of the same file."""
        if self.excerpts.line(finding.file, finding.cell, finding.line) is None or finding.line is None:
            return
        yield self._bar(gutter)
        marks: list[tuple[int, Finding | Related]] = [(finding.line, finding)]
        marks += [(other.line, other) for other in finding.related if other.file == finding.file]
        last = None
        for line, mark in sorted(marks, key=lambda pair: (pair[0], pair[1] is not finding)):
            text = self.excerpts.line(finding.file, finding.cell, line)
            if text is None:
                continue
            if last is not None and line > last + 1:
                yield f"{' ' * gutter}{self.paint('...', 'gutter')}"
            if line != last:
                yield self._source(gutter, line, text, _first_sign(text, mark.column or 1))
            if isinstance(mark, Finding):
                yield self._carets(gutter, mark, text)
            else:
                yield from self._pointer(gutter, mark, text)
            last = line
        for other in finding.related:
            if other.file != finding.file:
                place = printable(f"{other.file}:{other.line}:{other.column}")
                first, *rest = self._broken(
                    f"{' ' * gutter} ::: {place}  {printable(other.message)}", gutter + 5
                )
                yield first.replace(":::", self.paint(":::", "gutter"), 1)
                yield from rest
        yield self._bar(gutter)

    def _source(self, gutter: int, number: int | None, text: str, column: int) -> str:
        shown, _ = self._window(text, column)
        return f"{self.paint(f'{number:>{gutter}} |', 'gutter')} {shown}"

    def _carets(self, gutter: int, finding: Finding, text: str) -> str:
        column = _first_sign(text, finding.column or 1)
        end = finding.end_column if finding.end_line == finding.line else None
        length = columns(text[column - 1 : end - 1 if end else len(text.rstrip())])
        shown, before = self._window(text, column)
        length = min(max(length, 1), max(columns(shown) - before, 1))
        return f"{self._bar(gutter)} {' ' * before}{self.paint('^' * length, finding.severity)}"

    def _pointer(self, gutter: int, other: Related, text: str) -> Iterator[str]:
        _, before = self._window(text, _first_sign(text, other.column))
        message = printable(other.message)
        room = self.width - gutter - 5
        if self.wrap and before + columns(message) > room:  # as far to the left as the words need it
            before = max(0, min(before, room - min(columns(message), room // 2)))
        lines = textwrap.wrap(message, max(room - before, 20)) if self.wrap else [message]
        for sign, line in zip("-" + " " * len(lines), lines, strict=False):
            yield f"{self._bar(gutter)} {' ' * before}{self.paint(f'{sign} {line}', 'gutter')}"

    def _note(self, gutter: int, name: str, text: str) -> list[str]:
        lead = f"{' ' * gutter} {self.paint('=', 'gutter')} {self.paint(name, 'strong')}: "
        indent = " " * (gutter + 3 + len(name) + 2)
        wrapped = textwrap.wrap(printable(" ".join(text.split())), max(self.width - len(indent), 20))
        return [lead + wrapped[0], *(indent + line for line in wrapped[1:])] if wrapped else []

    def _change(self, finding: Finding, gutter: int) -> Iterator[str]:
        """The fix as a diff of the lines that it changes, when it is short."""
        if finding.file is None:
            return
        change = preview(finding, self.excerpts.lines(finding.file, finding.cell))
        if change is None:
            return
        first, before, after = change
        while before and after and before[0] == after[0]:
            first, before, after = first + 1, before[1:], after[1:]
        while before and after and before[-1] == after[-1]:
            before, after = before[:-1], after[:-1]
        if len(before) + len(after) > 12:
            return
        for sign, style, lines in (("-", "removed", before), ("+", "added", after)):
            for number, line in enumerate(lines, start=first):
                for place, part in enumerate(self._parts(line)):
                    at = f"{number:>{gutter}}" if place == 0 else " " * gutter
                    mark = sign if place == 0 else " "
                    yield f"{self.paint(at, 'gutter')} {self.paint(f'{mark} {part}', style)}"

    def _parts(self, line: str) -> list[str]:
        """A line of a change: cut to the width, or on a terminal, where all of it counts, in parts."""
        shown = printable(line.rstrip())
        if not self.wrap or not shown:
            return [self._window(line, 1)[0]]
        room = self._room()
        return [shown[start : start + room] for start in range(0, len(shown), room)]

    def _bar(self, gutter: int) -> str:
        return f"{' ' * gutter} {self.paint('|', 'gutter')}"

    def _room(self) -> int:
        return self.width - 10

    def _window(self, text: str, column: int) -> tuple[str, int]:
        """A line as it is shown, cut to the width, and how many columns lie before a place in it."""
        shown = printable(text.rstrip())
        before = columns(text[: column - 1])
        if len(shown) <= self._room():
            return shown, before
        body = self._room() - 2
        start = max(0, min(before - body // 3, len(shown) - body))
        lead, tail = "…" if start else "", "…" if start + body < len(shown) else ""
        return lead + shown[start : start + body] + tail, before - start + len(lead)


def _first_sign(text: str, column: int) -> int:
    """The column, or that of the first sign where it stands before it: a run knows lines only."""
    return max(column, len(text) - len(text.lstrip()) + 1) if text.strip() else column


def _way(finding: Finding) -> str | None:
    """What the modules on the way to an error were given, the outermost first, where there are several."""
    way = finding.evidence.get("way")
    if not isinstance(way, list) or len(way) < 2:
        return None
    kept = way if len(way) <= _MOST_MODULES else [way[0], "...", *way[1 - _MOST_MODULES :]]
    return " → ".join(map(str, kept))


def _described(finding: Finding, mend: str) -> str:
    fix = finding.fix
    if fix is None:
        return ""
    description = fix.description[:1].upper() + fix.description[1:]
    if not is_mendable(finding, unsafe=True):
        return description
    flag = "--fix" if fix.safe else "--unsafe-fixes"
    return f"{description.rstrip('.')} ({f'{mend} {flag}'.strip()})"


def _known(report: Report) -> str:
    return f" The baseline knows {report.known}." if report.known else ""


def _offer(report: Report) -> str:
    """What a program could mend."""
    safe = sum(is_mendable(finding, unsafe=False) for finding in report.findings)
    unsafe = sum(is_mendable(finding, unsafe=True) for finding in report.findings) - safe
    if safe and unsafe:
        return f" --fix mends {safe}, --unsafe-fixes {unsafe} more."
    if safe or unsafe:
        return f" {'--fix' if safe else '--unsafe-fixes'} mends {safe or unsafe}."
    return ""


def printable(text: str) -> str:
    """A text without what would move the cursor or change colours: control characters are shown as signs."""
    text = text.replace("\t", _TAB)
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign == " " else _visible(sign) for sign in text)


def _visible(sign: str) -> str:
    return chr(0x2400 + ord(sign)) if ord(sign) < 0x20 else "\N{REPLACEMENT CHARACTER}"


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text) + text.count("\t") * (len(_TAB) - 1)
    return sum(_columns_of(sign) for sign in text)


def _columns_of(sign: str) -> int:
    if sign == "\t":
        return len(_TAB)
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
