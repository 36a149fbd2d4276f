"""`# torchstone: ignore[TS101]`: what a comment on the line lets pass, and comments without use."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchstone.finding import Edit, Finding, Fix
from torchstone.review.selection import UNUSED_IGNORE

if TYPE_CHECKING:
    from torchstone.review.syntax.parse import SourceFile

_COMMENT = re.compile(r"#\s*torchstone:\s*ignore(?![\w-])(?:\s*\[(?P<codes>[^\]#]*)\])?", re.IGNORECASE)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


@dataclass
class _Ignore:
    """One comment: what it lets pass (None: all), the lines that it speaks for, and where it stands.

    `code_end` is the column where the code before it ends, `alone` whether nothing else is in the comment.
    """

    line: int
    start: int
    end: int
    codes: tuple[str, ...] | None
    lines: range
    code_end: int
    alone: bool
    used: set[str] = field(default_factory=set)

    def passes(self, finding: Finding) -> bool:
        """Whether it lets a finding on its lines pass; remembers that it was of use."""
        if self.codes is None:
            self.used.add("")
            return True
        words = {finding.code.lower(), finding.name.lower()}
        found = [code for code in self.codes if code.lower() in words]
        self.used.update(found)
        return bool(found)


def apply(
    findings: Iterable[Finding],
    source: SourceFile,
    *,
    active: Callable[[str], bool] = lambda code: True,
    known: Callable[[str], bool] = lambda code: True,
) -> list[Finding]:
    """The findings that no comment lets pass, and one for each comment that lets nothing pass.

    Args:
        findings: those of one program.
        source: the program.
        active: whether a code or name was looked for (`""`: whether everything was); of one that was not,
            nobody knows whether the comment is of use. `TS000` says whether such comments are reported.
        known: whether there is such a code or name.
    """
    if "torchstone:" not in source.text:
        return list(findings)
    ignores = list(_ignores(source.text))
    speaking: dict[tuple[int | None, int | None], list[_Ignore]] = {}
    for ignore in ignores:
        for line in ignore.lines:
            place = source.place(line)
            speaking.setdefault((place.cell, place.line), []).append(ignore)
    kept = []
    for finding in findings:
        # All of them are asked: each comment that lets a finding pass is to know it.
        passed = [ignore.passes(finding) for ignore in speaking.get((finding.cell, finding.line), ())]
        if not any(passed):
            kept.append(finding)
    if active(UNUSED_IGNORE.code):
        kept += [unused for ignore in ignores if (unused := _unused(ignore, source, active, known))]
    return kept


def _ignores(text: str) -> Iterator[_Ignore]:
    """The comments, each with the lines of the statement that it ends or stands in."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    first, depth, waiting = 0, 0, list[tuple[tokenize.TokenInfo, re.Match[str]]]()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            first = first or token.start[0]
            if token.type == tokenize.OP:
                depth += (token.string in _OPENING) - (token.string in _CLOSING)
            elif token.type == tokenize.COMMENT and (match := _COMMENT.search(token.string)):
                waiting.append((token, match))
            elif token.type == tokenize.NEWLINE or (token.type == tokenize.NL and not depth):
                for comment, match in waiting:
                    line = lines[comment.start[0] - 1]
                    yield _ignore(comment, match, line, range(first, token.start[0] + 1))
                waiting, first = [], 0
    except (tokenize.TokenError, SyntaxError):
        return  # the file does not parse, so there are no findings either


def _ignore(token: tokenize.TokenInfo, match: re.Match[str], line: str, lines: range) -> _Ignore:
    codes = match["codes"]
    row, column = token.start
    return _Ignore(
        line=row,
        start=column + match.start(),
        end=column + match.end(),
        codes=None if codes is None else tuple(code.strip() for code in codes.split(",") if code.strip()),
        lines=lines,
        code_end=len(line[:column].rstrip()),
        alone=match.start() == 0 and not line[column + match.end() :].strip(),
    )


def _unused(
    ignore: _Ignore, source: SourceFile, active: Callable[[str], bool], known: Callable[[str], bool]
) -> Finding | None:
    """The finding for a comment, or a part of it, that is of no use; None where it is, or nobody knows."""
    idle: list[str] = []
    if ignore.codes is None:
        if ignore.used or not active(""):
            return None
        message = "this comment lets nothing pass"
    else:
        idle = [code for code in ignore.codes if code not in ignore.used]
        idle = [code for code in idle if active(code) or not known(code)]
        if ignore.codes and not idle:
            return None
        named = ", ".join(code if known(code) else f"{code} (no such mistake)" for code in idle)
        message = f"this comment lets nothing pass: {named}" if named else "this comment names no mistake"
    place = source.place(ignore.line)
    return Finding(
        UNUSED_IGNORE.code,
        UNUSED_IGNORE.name,
        UNUSED_IGNORE.severity,
        message,
        why="A comment that is left behind hides the mistake when it comes back.",
        file=source.path,
        cell=place.cell,
        line=place.line,
        column=place.indent + ignore.start + 1,
        end_line=place.line,
        end_column=place.indent + ignore.end + 1,
        fix=_removal(ignore, idle, source),
    )


def _removal(ignore: _Ignore, idle: list[str], source: SourceFile) -> Fix:
    """The fix: the idle codes are taken out, and with the last of them the comment."""
    left = [code for code in ignore.codes or () if code not in idle]
    place = source.place(ignore.line)
    end_line, end, text = place.line, place.indent + ignore.end, ""
    if left:
        start, text = place.indent + ignore.start, f"# torchstone: ignore[{', '.join(left)}]"
    elif not ignore.alone:
        return Fix("Remove it from the comment")
    else:
        start = place.indent + ignore.code_end
        if not ignore.code_end and source.kind == "python":  # nothing else on the line
            start, end_line, end = 0, place.line + 1, 0
    edit = Edit(source.path, place.line, start + 1, end_line, end + 1, text)
    return Fix(f"Remove {', '.join(idle)}" if left else "Remove the comment", safe=True, edits=(edit,))
