"""What a watched program did wrong, for people: the findings and one line about the run."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import textwrap
from typing import Any

from torchstone.finding import Finding
from torchstone.review.output import terminal
from torchstone.review.report import Report

_WIDEST = 120
"""Columns; wider lines are hard to read."""


def render(report: Report, *, colour: bool = False, width: int = 100, wrap: bool = False) -> str:
    """The findings with excerpts, and a closing line; see `terminal.render`."""
    text = terminal.render(report, colour=colour, width=width, wrap=wrap, mend="torchstone check")
    if wrap and report.findings:
        text = f"\n{text}"  # apart from what the program printed
    closing = summary(report, width=width if wrap else None)
    return text.removesuffix(terminal.summary(report, colour=colour)) + closing


def render_for_stderr(report: Report) -> str:
    """The same as wide as the terminal is that stderr goes to, or as in a file."""
    width = width_of_stderr()
    if width is None:
        return render(report)
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return render(report, colour=colour, width=width, wrap=True)


def width_of_stderr() -> int | None:
    """How wide lines on stderr may be, None where it is no terminal."""
    try:
        if not sys.stderr.isatty():
            return None
        return min(os.get_terminal_size(sys.stderr.fileno()).columns or 100, _WIDEST)
    except Exception:  # the program may have put anything there
        return None


def say(text: str) -> None:
    """Writes to stderr, whatever the program has put there; what cannot be written is lost.

    A file that is full or closed would otherwise fail once more when Python ends, with a status of its own.
    """
    with contextlib.suppress(Exception):
        stream = sys.stderr
        raw = getattr(stream.buffer, "raw", None) if type(stream) is io.TextIOWrapper else None
        if os.name == "posix" and type(raw) is io.FileIO:
            stream.flush()
            left = memoryview(text.encode(stream.encoding, "backslashreplace"))
            while left:
                left = left[os.write(raw.fileno(), left) :]
        else:
            stream.write(text)


def announcement(finding: Finding, *, width: int | None = None) -> str:
    """What is told at the moment a mistake is seen; a line, or on a terminal as many as it takes."""
    where = f"{finding.file}:{finding.line}: " if finding.file else ""
    step = finding.evidence.get("step")
    what = f"{finding.code} {finding.name} (step {step}): {' '.join(finding.message.split())}"
    return _wrapped([terminal.printable(f"torchstone: {where}{what}")], width)


def summary(report: Report, *, width: int | None = None) -> str:
    """What was found, in one line, and what a person should know about the run.

    Args:
        report: of the run.
        width: where lines are wrapped, in columns; None: nowhere.
    """
    counted = [
        f"{count} {severity}" + ("s" if count > 1 and severity != "advice" else "")
        for severity, count in report.counts().items()
        if count
    ]
    unseen = sum("step" not in finding.evidence for finding in report.findings)
    part = "" if unseen == len(report.findings) else f"{unseen} of them "
    read = f", {part}in the source alone" if unseen else ""
    steps = f"{report.steps} step{'' if report.steps == 1 else 's'}"
    lines = [
        f"torchstone watched {steps} and found {', '.join(counted) or 'no mistake'}{read}.",
        *report.notes,
    ]
    return _wrapped(lines, width)


def _wrapped(lines: list[str], width: int | None) -> str:
    if width is not None:
        options: Any = {"width": width, "subsequent_indent": "  ", "break_on_hyphens": False}
        lines = [part for line in lines for part in textwrap.wrap(line, **options) or [line]]
    return "".join(f"{line}\n" for line in lines)
