"""The engine that reads source: text goes in, findings come out; nothing is imported or run."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from torchstone.finding import Finding
from torchstone.review.catalogue import checks_for
from torchstone.review.index import entries
from torchstone.review.report import FileResult
from torchstone.review.syntax.file import File
from torchstone.review.syntax.parse import SourceFile, parse
from torchstone.review.syntax.project import Project

_RECURSION_LIMIT = 20_000


def check_text(
    text: str,
    filename: str,
    *,
    codes: Collection[str] | None = None,
    project: Project | None = None,
) -> FileResult:
    """Looks for mistakes in a text; the file need not exist.

    Args:
        text: the whole file: Python, a notebook (`.ipynb`) or Markdown (`.md`), told by the file's name.
        filename: its name, used in findings and to find the project's other files.
        codes: the codes that are looked for; all of the catalogue by default, advice included.
        project: the other files; by default those that the file imports, read from disk on demand.
    """
    wanted = {entry.code for entry in entries()} if codes is None else set(codes)
    parsed = parse(text, filename)
    project = project or Project()
    kept: list[Finding] = []
    used: set[str] = set()
    with _deep_recursion():
        for source in parsed.sources:
            if "torch" not in source.text:
                continue
            project.start()
            file = File(source, project)
            checks = checks_for(source.text, wanted, file.stands_alone)
            found = [finding for check in checks for finding in check(file)]
            kept += _without_ignored(list(_unique(found)), source, wanted)
            used |= project.dependencies(file)
    return FileResult(tuple(sorted(kept, key=_order)), parsed.errors, tuple(sorted(used)))


def _without_ignored(findings: list[Finding], source: SourceFile, wanted: Collection[str]) -> list[Finding]:
    """The findings that no comment of the file lets pass, and the comments without use."""
    if "torchstone:" not in source.text:
        return findings
    from torchstone.review import suppression

    known = {word for entry in entries() for word in (entry.code.lower(), entry.name)}
    words = {word for entry in entries() if entry.code in wanted for word in (entry.code.lower(), entry.name)}
    if all(entry.code.lower() in words for entry in entries() if entry.severity != "advice"):
        words.add("")
    return suppression.apply(
        findings,
        source,
        active=lambda word: word.lower() in words,
        known=lambda word: word.lower() in known,
    )


def _order(finding: Finding) -> tuple[int, int, int, str]:
    return (finding.cell or 0, finding.line or 0, finding.column or 0, finding.code)


def _unique(findings: list[Finding]) -> Iterator[Finding]:
    """One finding per code and place, whichever way the analysis came to it."""
    seen = set()
    for finding in findings:
        key = (finding.code, finding.cell, finding.line, finding.column)
        if key not in seen:
            seen.add(key)
            yield finding


@contextmanager
def _deep_recursion() -> Iterator[None]:
    """Room for deeply nested code: frames of Python functions live on the heap, so the limit can be high."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
