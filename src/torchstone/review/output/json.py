"""The report as one JSON document, for programs; its schema is `docs/schemas/findings.json`."""

from __future__ import annotations

import json
from typing import Any

from torchstone.review.report import Report
from torchstone.review.statistics import count_by_mistake


def render(report: Report, *, statistics: bool = False) -> str:
    """The document as text.

    Args:
        report: what was found.
        statistics: whether the counts by mistake are added, as `statistics`.
    """
    document: dict[str, Any] = report.to_json()
    if statistics:
        document["statistics"] = [row.to_json() for row in count_by_mistake(report)]
    # Escaped, so that it can be written in any encoding and names that are not text survive.
    return json.dumps(document, indent=2) + "\n"
