"""Workflow commands, which GitHub shows as annotations on the lines of a pull request."""

from __future__ import annotations

from torchstone.finding import Finding
from torchstone.review.report import CheckError, Report

_LEVELS = {"error": "error", "warning": "warning", "advice": "notice"}


def render(report: Report) -> str:
    """One command for each finding and each file that could not be checked."""
    lines = [_error(error) for error in report.errors] + [_finding(finding) for finding in report.findings]
    return "".join(f"{line}\n" for line in lines)


def _error(error: CheckError) -> str:
    return _command("error", {"title": "not checked", "file": error.file, "line": error.line}, error.message)


def _finding(finding: Finding) -> str:
    properties = {
        "title": f"{finding.code} {finding.name}",
        "file": finding.file,
        "line": finding.line,
        "col": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }
    message = finding.message
    if finding.cell:  # GitHub knows no cells: an annotation of the file, with the place in words
        properties = {"title": properties["title"], "file": finding.file}
        message = f"cell {finding.cell}, line {finding.line}: {message}"
    if finding.why:
        message += f"\n{finding.why}"
    return _command(_LEVELS[finding.severity], properties, message)


def _command(level: str, properties: dict[str, str | int | None], message: str) -> str:
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value is not None)
    return f"::{level} {given}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str | int) -> str:
    return _data(str(value)).replace(":", "%3A").replace(",", "%2C")
