"""What a run showed beside what its source says: one list, each mistake once."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

from torchstone.finding import Finding
from torchstone.review.places import is_users, shown
from torchstone.review.report import Report
from torchstone.review.selection import UNUSED_IGNORE, Layer

_SEEN_ELSEWHERE = frozenset({"TS107"})
"""What goes wrong at one line and is seen at another one that takes part: where a loss goes back."""

_MOST_FILES = 200
"""So many of a program's own files are read at its end."""


def add_source(report: Report, files: Iterable[str], layer: Layer | None = None) -> None:
    """Reads a program's files too: what was seen already is confirmed, what was not is added.

    Args:
        report: what the run showed; it is changed.
        files: of the program.
        layer: the mistakes that are looked for beside those of the settings file.
    """
    from torchstone.review.paths import Options, check_paths

    named = [shown(file) for file in files]
    if not named:
        return
    asked = layer or Layer()
    options = Options(asked.select, asked.extend_select, asked.ignore, jobs=1)
    read = check_paths(named, options)
    report.files = read.files
    # A comment that lets a finding of the run pass is of use, though reading finds nothing there.
    found = [finding for finding in read.findings if finding.code != UNUSED_IGNORE.code]
    withdrawn = [one for one in found if _is_disproved(one, report)]
    report.findings = agreed(report.findings, [one for one in found if one not in withdrawn])
    report.notes += [
        f"{one.code} {one.name} at {one.file}:{one.line}, which the source looks like, is withdrawn: "
        "the run showed that it is right."
        for one in withdrawn
    ]


def _is_disproved(one: Finding, report: Report) -> bool:
    """Whether a run showed that the line of a finding is right, and no finding of the run is about it."""
    if any(_is_the_same(other, one) for other in report.findings):
        return False
    if one.file is None or one.line is None or one.cell is not None:
        return False
    last = max(one.line, one.end_line or one.line)
    file = os.path.abspath(one.file)
    lines = {(file, line) for line in range(one.line, last + 1)}
    if one.code in _SEEN_ELSEWHERE:
        lines |= _lines(one)
    return any((one.code, *line) in report.disproved for line in lines)


def agreed(seen: Sequence[Finding], read: Sequence[Finding]) -> list[Finding]:
    """The findings of the run and those of its source; one of both is listed once, as seen.

    Args:
        seen: in the run.
        read: in the source.
    """
    confirmed: dict[int, Finding] = {}
    repeated: set[int] = set()
    alone = []
    for other in read:
        number = next((i for i, one in enumerate(seen) if _is_the_same(one, other)), None)
        if number is None:
            alone.append(replace(other, evidence={**other.evidence, "source": True}))
            continue
        one = confirmed.get(number, seen[number])
        fix = other.fix if other.fix is not None and other.fix.edits else one.fix
        told = {"source": True, "agreement": _agreement(one)}
        related = one.related or tuple(
            line for line in other.related if (line.file, line.line) != _place(one)
        )
        confirmed[number] = replace(one, fix=fix, related=related, evidence={**one.evidence, **told})
        repeated |= {i for i, later in enumerate(seen) if i > number and _is_repeated(later, one, other)}
    return [*(confirmed.get(i, one) for i, one in enumerate(seen) if i not in repeated), *alone]


def _is_repeated(later: Finding, one: Finding, read: Finding) -> bool:
    """Whether a finding of the run is at another line of what the source shows to be one mistake."""
    return _is_the_same(replace(later, related=()), read) and later.message == one.message


def _place(finding: Finding) -> tuple[str | None, int | None]:
    return finding.file, finding.line


def _agreement(one: Finding) -> str:
    """In words, that source and run say the same."""
    step = one.evidence.get("step")
    return "found in the source, and seen " + ("in the run" if step is None else f"at step {step}")


def _is_the_same(one: Finding, other: Finding) -> bool:
    return one.code == other.code and bool(_lines(one) & _lines(other))


def _lines(finding: Finding) -> set[tuple[str, int]]:
    """The lines that take part in a finding."""
    places = [(finding.file, finding.line), *((related.file, related.line) for related in finding.related)]
    return {(os.path.abspath(file), line) for file, line in places if file and line}


def without_ignored(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that no comment `# torchstone: ignore` at their line lets pass."""
    from torchstone.review.reading import UnreadableError, read
    from torchstone.review.suppression import apply
    from torchstone.review.syntax.parse import parse

    kept = [finding for finding in findings if finding.file is None]
    for file in {finding.file for finding in findings if finding.file is not None}:
        of_file = [finding for finding in findings if finding.file == file]
        try:
            sources = parse(read(file).text, file).sources
        except UnreadableError:
            sources = ()
        for source in sources:
            of_file = apply(of_file, source, active=lambda code: False)
        kept += of_file
    return [finding for finding in findings if finding in kept]


def files_of_program(script: str | None, module: str | None = None) -> list[str]:
    """The script and the files of its own project that it imported.

    Args:
        script: the file that was run.
        module: or the module.
    """
    main = script
    if module is not None:
        main = _origin(module) or _origin(f"{module}.__main__")
    if main is None or not main.endswith(".py"):
        return []
    roots = {os.path.realpath(os.path.dirname(os.path.abspath(main))), os.path.realpath(os.getcwd())}
    files = [os.path.abspath(main)]
    for held in list(sys.modules.values()):
        file = getattr(held, "__file__", None)
        if not isinstance(file, str) or not os.path.isabs(file) or file in files:
            continue
        if file.endswith(".py") and is_users(file) and os.path.isfile(file):
            folder = os.path.realpath(os.path.dirname(file))
            if any(os.path.commonpath((root, folder)) == root for root in roots if root != os.sep):
                files.append(file)
    return files[:_MOST_FILES]


def _origin(module: str) -> str | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None or spec.submodule_search_locations is not None:
        return None
    return spec.origin
