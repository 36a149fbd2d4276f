"""What `torchstone watch` does: runs the script, says what was found, and ends as the script would."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from torchstone.errors import UsageError
from torchstone.finding import Finding
from torchstone.review.report import SEVERITIES, Report


@dataclass(frozen=True)
class Request:
    """The flags of the command; see `watch`."""

    command: list[str]
    module: str | None
    format: str
    output: str | None
    fail_on: Any
    stop_on: Any
    quiet: bool


def perform(request: Request) -> None:
    """Runs and reports; ends the process with the script's status.

    Raises:
        UsageError: there is nothing to run.
        SystemExit: the script's status, or 1 where the findings ask for it.
    """
    from torchstone.review import running
    from torchstone.review.watcher import StoppedByFinding, Watcher

    if not request.command and request.module is None:
        raise UsageError("No script was given.", hint="torchstone watch SCRIPT [ARGUMENTS]")
    watcher = Watcher(on_finding=None if request.quiet else _announce, stop_on=request.stop_on)
    ended: BaseException | None = None
    watcher.start()
    try:
        if request.module is None:
            running.run_script(request.command[0], request.command[1:])
        else:
            running.run_module(request.module, request.command)
    except UsageError:
        watcher.stop()
        raise
    except BaseException as error:  # told below, after what it ended
        ended = error
    report = watcher.stop(ended)
    stopped = isinstance(ended, StoppedByFinding)
    if ended is not None and not stopped:
        running.show(ended)
    _show(report, request)
    running.leave(SystemExit(1) if stopped else ended, failed=_fails(report, request))


def _announce(finding: Finding) -> None:
    """A line at the moment an error is seen."""
    if finding.severity == "error":
        where = f"{finding.file}:{finding.line}: " if finding.file else ""
        what = f"{finding.code} {finding.name} (step {finding.evidence.get('step')}): {finding.message}"
        sys.stderr.write(f"torchstone: {where}{what}\n")


def _fails(report: Report, request: Request) -> bool:
    if request.fail_on is None:
        return False
    failing = SEVERITIES[: SEVERITIES.index(request.fail_on) + 1]
    return any(finding.severity in failing for finding in report.findings)


def _show(report: Report, request: Request) -> None:
    """The report on stderr, or in a file; stdout is the script's."""
    colour = request.output is None and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    text = _rendered(report, request.format, colour=colour)
    if request.output is None:
        sys.stderr.write(text)
        return
    try:
        with open(request.output, "w", encoding="utf-8") as file:
            file.write(text)
        if not request.quiet:
            sys.stderr.write(_summary(report))
    except OSError as error:
        sys.stderr.write(f"torchstone: {request.output} cannot be written: {error.strerror}.\n{text}")


def _rendered(report: Report, form: str, *, colour: bool) -> str:
    from torchstone.review.output import json, sarif, terminal

    if form == "json":
        return json.render(report, statistics=False)
    if form == "sarif":
        return sarif.render(report)
    text = terminal.render(report, colour=colour)
    return text.removesuffix(terminal.summary(report, colour=colour)) + _summary(report)


def _summary(report: Report) -> str:
    """What was found, in one line."""
    counted = [f"{count} {severity}" for severity, count in report.counts().items() if count]
    notes = "".join(f"{note}\n" for note in report.notes)
    return f"torchstone watched {report.steps} steps and found {', '.join(counted) or 'no mistake'}.\n{notes}"
