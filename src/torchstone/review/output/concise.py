"""One line for each finding, for editors and for grep."""

from __future__ import annotations

from torchstone.finding import Finding
from torchstone.review.report import CheckError, Report


def render(report: Report) -> str:
    """The lines, those of files that could not be checked first."""
    lines = [_error(error) for error in report.errors] + [_finding(finding) for finding in report.findings]
    return "".join(f"{line}\n" for line in lines)


def _error(error: CheckError) -> str:
    return f"{error.file}:{error.line or 1}:1: error {error.message}"


def _finding(finding: Finding) -> str:
    cell = f"cell {finding.cell}:" if finding.cell else ""
    place = f"{finding.file}:{cell}{finding.line or 1}:{finding.column or 1}"
    message = " ".join(finding.message.split())
    return f"{place}: {finding.severity} {finding.code} {message} [{finding.name}]"
