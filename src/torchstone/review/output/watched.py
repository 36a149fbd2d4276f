"""What a watched program did wrong, for people: the findings and one line about the run."""

from __future__ import annotations

from torchstone.review.output import terminal
from torchstone.review.report import Report


def render(report: Report, *, colour: bool = False, width: int = 100) -> str:
    """The findings with excerpts, and a closing line."""
    text = terminal.render(report, colour=colour, width=width)
    return text.removesuffix(terminal.summary(report, colour=colour)) + summary(report)


def summary(report: Report) -> str:
    """What was found, in one line, and what a person should know about the run."""
    counted = [
        f"{count} {severity}" + ("s" if count > 1 and severity != "advice" else "")
        for severity, count in report.counts().items()
        if count
    ]
    unseen = sum("step" not in finding.evidence for finding in report.findings)
    read = f", {unseen} of them in the source alone" if unseen else ""
    steps = f"{report.steps} step{'' if report.steps == 1 else 's'}"
    notes = "".join(f"{note}\n" for note in report.notes)
    return f"torchstone watched {steps} and found {', '.join(counted) or 'no mistake'}{read}.\n{notes}"
