"""What a check gives back: the findings of one file, and of all files together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from torchstone.finding import Finding, Severity

FORMAT_VERSION = 1
"""The version of the JSON document; it changes only when a reader of the old one would break."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "advice")
"""The severities, the worst first."""


@dataclass(frozen=True)
class CheckError:
    """A file that could not be checked, and where: a syntax error, a broken notebook, no permission.

    Args:
        file: the file, as it was named.
        line: where in it, counted from 1; None where there is no place.
        message: what is wrong.
    """

    file: str
    line: int | None
    message: str

    def to_json(self) -> dict[str, Any]:
        """The error as JSON values."""
        return {"file": self.file, "line": self.line, "message": self.message}


@dataclass(frozen=True)
class FileResult:
    """What the check of one file gives.

    Args:
        findings: the mistakes, sorted by place.
        errors: why the file, or a part of it, could not be checked.
        dependencies: paths of the other files whose content, or absence, had a part in the result; one that
            ends in `*.py` stands for the names of the Python files in a folder.
    """

    findings: tuple[Finding, ...] = ()
    errors: tuple[CheckError, ...] = ()
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True)
class WatchedRun:
    """What was watched.

    Args:
        command: the script, or `-m` and the module, and their arguments.
        started: when, to the minute.
        seconds: how long it took.
        spent: seconds of these that detectors took.
        ended: how the script ended, where it did not come to its end.
        traceback: what python said then.
        versions: of what it ran on.
        losses: `(step, loss)` of some steps, by the file and line of `backward`.
    """

    command: tuple[str, ...]
    started: str = ""
    seconds: float = 0.0
    spent: float = 0.0
    ended: str = ""
    traceback: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    losses: dict[str, list[tuple[int, float]]] = field(default_factory=dict)


@dataclass
class Report:
    """The mistakes that `torchstone.check` found.

    Args:
        files: how many files were checked.
        findings: the mistakes, sorted by file and place.
        errors: the files that could not be checked.
        notes: what a person should know about the check itself, such as an outdated baseline.
        fixed: how many findings were mended.
        known: how many findings a baseline lets pass.
        changes: the files that fixes change, as `(file, old text, new text)`.
        texts: the text of what was not read from disk, by file.
        fail_on: the least severity of a finding that makes `failed` true.
        steps: how many steps of optimizers were watched.
        disproved: code, file and line of what a run showed to be right.
        run: what was watched; None where source was read.
    """

    files: int = 0
    findings: list[Finding] = field(default_factory=list)
    errors: list[CheckError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fixed: int = 0
    known: int = 0
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    fail_on: Severity = "advice"
    steps: int = 0
    disproved: frozenset[tuple[str, str, int]] = frozenset()
    run: WatchedRun | None = None

    def to_json(self) -> dict[str, Any]:
        """The report as the published JSON document (`docs/schemas/findings.json`)."""
        return {
            "version": FORMAT_VERSION,
            "files": self.files,
            "errors": [error.to_json() for error in self.errors],
            "findings": [finding.to_json() for finding in self.findings],
        }

    def counts(self) -> dict[Severity, int]:
        """How many findings there are of each severity, the worst first."""
        counted = Counter(finding.severity for finding in self.findings)
        return {severity: counted[severity] for severity in SEVERITIES}

    @property
    def failed(self) -> bool:
        """Whether there is a finding of at least `fail_on`, or a file that could not be checked."""
        failing = SEVERITIES[: SEVERITIES.index(self.fail_on) + 1]
        return bool(self.errors) or any(finding.severity in failing for finding in self.findings)


def place_of(finding: Finding) -> tuple[str, int, int, int, str, str]:
    """The key that findings are sorted by: file, cell, line, column, code."""
    return (
        finding.file or "",
        finding.cell or 0,
        finding.line or 0,
        finding.column or 0,
        finding.code,
        finding.message,
    )
