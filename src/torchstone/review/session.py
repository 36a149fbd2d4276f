"""Watching a part of a program: `with ts.watch() as report:`."""

from __future__ import annotations

import contextlib
import linecache
import os
from collections.abc import Sequence
from types import TracebackType
from typing import TypedDict

from torchstone.errors import UsageError
from torchstone.finding import Finding, Severity
from torchstone.review.agreement import without_ignored
from torchstone.review.report import Report
from torchstone.review.selection import Layer
from torchstone.review.watcher import StoppedByFinding, Watcher


class WatchOptions(TypedDict, total=False):
    """The flags of `torchstone watch` as keywords, as far as they say something of a part of a program."""

    select: Sequence[str] | None
    extend_select: Sequence[str]
    ignore: Sequence[str]
    stop_on: Severity | None
    budget: float
    thorough: bool


class Session(contextlib.AbstractContextManager[Report]):
    """Watches from the beginning of a block to its end; the report is filled at the end.

    Args:
        select, extend_select, ignore: the mistakes that are looked for, as in a check.
        stop_on: the least severity of a finding that ends the block at once.
        budget: percent of the time of a long run that looking at steps in full may take.
        thorough: look at every step in full, and call the model once more at a few of them.
        quiet: print nothing.

    Raises:
        UsageError: a budget that is no percentage.
        ConfigError: there is no such mistake.
    """

    def __init__(
        self,
        *,
        select: Sequence[str] | None = None,
        extend_select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        stop_on: Severity | None = None,
        budget: float = 2.0,
        thorough: bool = False,
        quiet: bool = False,
    ) -> None:
        self._codes = chosen(Layer(select, ignore, extend_select))
        self._share = share_of(budget, "budget")
        self._stop_on, self._thorough, self._quiet = stop_on, thorough, quiet
        self.stopped: str | None = None
        """Where `stop_on` ended the block."""
        self._watcher: Watcher | None = None
        self._report = Report()

    def __enter__(self) -> Report:
        self._watcher = Watcher(
            codes=self._codes, stop_on=self._stop_on, budget=self._share, thorough=self._thorough
        )
        self._watcher.start()
        return self._report

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        stopped = isinstance(error, StoppedByFinding)
        if error is not None and not stopped:
            self.crashed(error)
        self.stopped = f"Stopped by stop_on at {error}." if stopped else None
        self.finish(self.stopped)
        return stopped

    def crashed(self, error: BaseException) -> None:
        """Tells what ended the block."""
        if self._watcher is not None:
            self._watcher.crashed(error)

    def finish(self, note: str | None = None) -> Report:
        """Ends watching, unless it has ended; gives the report, with a line of ours about the run."""
        watcher, self._watcher = self._watcher, None
        report = self._report
        if watcher is None:
            return report
        told = watcher.stop()
        report.findings, report.steps = without_ignored(told.findings), told.steps
        report.notes = [*([] if note is None else [note]), *told.notes]
        report.texts = _texts(report.findings)
        if not self._quiet and not watcher.is_child():
            from torchstone.review.output import watched

            watched.say(watched.render_for_stderr(report))
        return report


def share_of(percent: float, name: str) -> float:
    """The share that a percentage stands for.

    Args:
        percent: from 0 to 100.
        name: of the flag or keyword.

    Raises:
        UsageError: it is another number.
    """
    if not 0 <= percent <= 100:  # nan is not either
        raise UsageError(f"{name} must be a percentage from 0 to 100, and is {percent:g}.")
    return percent / 100


def chosen(layer: Layer, script: str | None = None) -> frozenset[str]:
    """The codes that are looked for, with those of the settings file.

    Raises:
        ConfigError: a word that is no code, beginning of a code or name.
    """
    from torchstone.review import settings as settings_of
    from torchstone.review.index import entries
    from torchstone.review.selection import choose

    settings = settings_of.load([script] if script else [])
    configured = Layer(settings.select, settings.ignore, settings.extend_select)
    return choose(entries(), (configured, layer)).codes


def _texts(findings: Sequence[Finding]) -> dict[str, str]:
    """The texts of the cells of a notebook, which are in no file."""
    files = {finding.file for finding in findings if finding.file and not os.path.isfile(finding.file)}
    lines = {file: linecache.getlines(file) or linecache.getlines(os.path.abspath(file)) for file in files}
    return {file: "".join(held) for file, held in lines.items() if held}
