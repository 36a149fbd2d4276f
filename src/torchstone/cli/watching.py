"""What `torchstone watch` does: runs the script, says what was found, and ends as the script would."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from torchstone.errors import UsageError
from torchstone.finding import Finding
from torchstone.review.report import SEVERITIES, Report, place_of
from torchstone.review.selection import Layer


@dataclass(frozen=True)
class Request:
    """The flags of the command, see `watch`, and the folder that it was given in."""

    command: list[str]
    module: str | None
    format: str
    output: str | None
    fail_on: Any
    stop_on: Any
    quiet: bool
    layer: Layer
    budget: float
    thorough: bool
    overfit: int | None = None
    folder: str = field(default_factory=os.getcwd)


def perform(request: Request) -> None:
    """Runs and reports; ends the process with the script's status, SIGTERM at once and without a report.

    Raises:
        UsageError: there is nothing to run.
        SystemExit: the script's status, or 1 where the findings ask for it.
    """
    from torchstone.review import running
    from torchstone.review.account import Account
    from torchstone.review.session import chosen
    from torchstone.review.shadowing import Shadowed
    from torchstone.review.watcher import StoppedByFinding, Watcher

    _refuse_what_says_nothing(request)
    script = request.command[0] if request.module is None else None
    watcher = Watcher(
        codes=chosen(request.layer, script),
        on_finding=None if request.quiet else _announce,
        stop_on=request.stop_on,
        budget=request.budget,
        thorough=request.thorough,
        overfit=request.overfit,
    )
    account = Account(watcher, _command(request)) if request.format == "html" else None
    shadowed = Shadowed(os.getcwd() if script is None else os.path.dirname(os.path.realpath(script)))
    if shadowed:
        _import_what_reports()
    watcher.start()

    def show_before_os_exit() -> None:
        with shadowed.back():
            report = watcher.stop()
            if account is not None:
                report.run = account.of(None, "The script ended its process by os._exit.")
            _show(_whole(report, request), request)

    restore = _before_os_exit(watcher, show_before_os_exit)
    shadowed.give_way()
    try:
        ended = _run(request)
    except running.NothingToRunError:
        watcher.stop()
        raise
    stopped = ended if isinstance(ended, StoppedByFinding) else None
    if ended is not None and stopped is None:
        watcher.crashed(ended)
        running.show(ended)
    running.wait_for_threads()
    restore()
    with shadowed.back():
        report = watcher.stop()
    if stopped is not None:
        report.notes.insert(0, f"Stopped by --stop-on {request.stop_on} at {stopped}.")
    if account is not None:
        report.run = account.of(ended)
    if watcher.is_child():  # forked by the script, and come to its end
        running.leave(ended)
    # Of processes that train together the last one reports for all; one that failed may have no successor.
    report.findings += watcher.elsewhere
    if watcher.ranks.last or ended is not None:
        with shadowed.back():
            report = _whole(report, request)
            _show(report, request)
    if watcher.overfitting is not None and _is_good(ended):
        ended = SystemExit(watcher.overfitting.verdict().status)
    running.leave(ended if stopped is None else SystemExit(1), failed=_fails(report, request))


def _refuse_what_says_nothing(request: Request) -> None:
    from torchstone.review.overfitting import LEAST_STEPS

    if not request.command and request.module is None:
        raise UsageError("No script was given.", hint="torchstone watch SCRIPT [ARGUMENTS]")
    if request.overfit is not None and request.overfit < LEAST_STEPS:
        raise UsageError(f"--overfit-steps must be {LEAST_STEPS} or more: fewer say nothing.")
    if request.format == "html" and request.output is None:
        hint = "torchstone watch --format html --output findings.html SCRIPT [ARGUMENTS]"
        raise UsageError("A page needs a file: stdout belongs to the script.", hint=hint)


def _run(request: Request) -> BaseException | None:
    """Runs the script; what ended it, None for its end."""
    from torchstone.review import running
    from torchstone.review.overfitting import EnoughSteps

    try:
        if request.module is None:
            running.run_script(request.command[0], request.command[1:])
        else:
            running.run_module(request.module, request.command)
    except running.NothingToRunError:
        raise
    except EnoughSteps:  # what was asked for with --overfit-batch is known
        return None
    except BaseException as error:  # told after what it ended
        return error
    return None


def _import_what_reports() -> None:
    """Imports what is otherwise imported at the first finding and at the end."""
    for name in (
        "agreement",
        "fixes",
        "paths",
        *(f"output.{form}" for form in ("html", "json", "sarif", "watched")),
    ):
        importlib.import_module(f"torchstone.review.{name}")


def _is_good(ended: BaseException | None) -> bool:
    """Whether a script came to a good end."""
    return ended is None or (isinstance(ended, SystemExit) and ended.code in (None, 0))


def _command(request: Request) -> list[str]:
    """What is run, as it would be given to python."""
    return [*(() if request.module is None else ("-m", request.module)), *request.command]


def _before_os_exit(watcher: Any, then: Callable[[], None]) -> Callable[[], None]:
    """Does something before the script ends this process by `os._exit`; gives what undoes that."""
    original = os._exit

    def leave(status: int) -> NoReturn:
        if not watcher.is_child():
            with contextlib.suppress(Exception):
                then()
                sys.stderr.flush()
        original(status)

    os._exit = leave

    def restore() -> None:
        os._exit = original

    return restore


def _whole(report: Report, request: Request) -> Report:
    """The report with what the source of the program says; without what its comments let pass."""
    from torchstone.review import agreement

    script = None if request.module is not None else request.command[0]
    try:
        report.findings = agreement.without_ignored(report.findings)
        files = agreement.files_of_program(script, request.module)
        agreement.add_source(report, files, request.layer)
        report.notes += [] if request.thorough else _undecided(report)
        report.findings.sort(key=_order)
    except Exception as error:  # the script's own end is not to be disturbed
        report.notes.append(f"torchstone: the source could not be read: {type(error).__name__}: {error}")
    return report


def _undecided(report: Report) -> list[str]:
    """A line about findings in the source of which a run shows something under `--thorough` alone."""
    from torchstone.review.catalogue import load_catalogue

    options = {one.code: one.detector.OPTION for one in load_catalogue() if one.detector is not None}
    unseen = {finding.code for finding in report.findings if "step" not in finding.evidence}
    codes = sorted(code for code in unseen if options.get(code) == "--thorough")
    if not codes or not report.steps:
        return []
    named = " or ".join(codes)
    return [
        f"Whether {named} is so, a run shows with --thorough: it calls the model anew, with other inputs."
    ]


def _order(finding: Finding) -> Any:
    return (SEVERITIES.index(finding.severity), *place_of(finding))


def _announce(finding: Finding) -> None:
    """A line at the moment an error is seen."""
    from torchstone.review.output import watched

    if finding.severity == "error":
        watched.say(watched.announcement(finding, width=watched.width_of_stderr()))


def _fails(report: Report, request: Request) -> bool:
    if request.fail_on is None:
        return False
    failing = SEVERITIES[: SEVERITIES.index(request.fail_on) + 1]
    return any(finding.severity in failing for finding in report.findings)


def _show(report: Report, request: Request) -> None:
    """The report on stderr, or in a file; stdout is the script's."""
    from torchstone.review.output.watched import say, width_of_stderr

    on_terminal = width_of_stderr() is not None
    is_terminal = request.output is None and on_terminal
    try:
        text = _rendered(report, request.format, is_terminal=is_terminal)
    except Exception as error:  # the script's own end is not to be disturbed
        say(f"torchstone: {request.format} failed: {type(error).__name__}: {error}\n")
        say(_rendered(report, "terminal", is_terminal=on_terminal))
        return
    if request.output is None:
        say(text)
        return
    try:
        # The script may have gone to another folder.
        with open(os.path.join(request.folder, request.output), "w", encoding="utf-8") as file:
            file.write(text)
        if not request.quiet:
            say(_summary(report))
    except OSError as error:
        if request.format == "html":  # a page would be of no use there
            text = _rendered(report, "terminal", is_terminal=on_terminal)
        say(f"torchstone: {request.output} cannot be written: {error.strerror}.\n{text}")


def _rendered(report: Report, form: str, *, is_terminal: bool) -> str:
    from torchstone.review.output import json, sarif, watched

    if form == "json":
        return json.render(report, statistics=False)
    if form == "html":
        from torchstone.review.output import html

        return html.render(report)
    if form == "sarif":
        return sarif.render(report)
    return watched.render_for_stderr(report) if is_terminal else watched.render(report)


def _summary(report: Report) -> str:
    from torchstone.review.output import watched

    return watched.summary(report)
