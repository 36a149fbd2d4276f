"""How often each mistake was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torchstone.finding import Severity
from torchstone.review.report import SEVERITIES, Report


@dataclass(frozen=True)
class Count:
    """How often one mistake was found, and how many of these a program can mend safely."""

    code: str
    name: str
    severity: Severity
    count: int
    fixable: int

    def to_json(self) -> dict[str, Any]:
        """The count as JSON values."""
        return asdict(self)


def count_by_mistake(report: Report) -> list[Count]:
    """The counts, the most severe and most frequent first."""
    groups: dict[tuple[str, str, Severity], list[bool]] = {}
    for finding in report.findings:
        fix = finding.fix
        mendable = fix is not None and fix.safe and bool(fix.edits)
        groups.setdefault((finding.code, finding.name, finding.severity), []).append(mendable)
    counts = [Count(*key, len(mendable), sum(mendable)) for key, mendable in groups.items()]
    return sorted(counts, key=lambda row: (SEVERITIES.index(row.severity), -row.count, row.code))
