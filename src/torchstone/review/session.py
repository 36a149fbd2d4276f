"""Watching a part of a program: `with ts.watch() as report:`."""

from __future__ import annotations

import contextlib
import linecache
import os
from collections.abc import Sequence
from types import TracebackType

from torchstone.finding import Finding, Severity
from torchstone.review.agreement import without_ignored
from torchstone.review.report import Report
from torchstone.review.selection import Layer
from torchstone.review.watcher import StoppedByFinding, Watcher


class Session(contextlib.AbstractContextManager[Report]):
    """Watches from the beginning of a block to its end; the report is filled at the end.

    Args:
        select, ignore: the mistakes that are looked for, as in a check.
        stop_on: the least severity of a finding that ends the block at once.
        quiet: print nothing.
    """

    def __init__(
        self,
        *,
        select: Sequence[str] | None = None,
        ignore: Sequence[str] = (),
        stop_on: Severity | None = None,
        quiet: bool = False,
    ) -> None:
        self._codes = chosen(Layer(select, ignore))
        self._stop_on, self._quiet = stop_on, quiet
        self._watcher: Watcher | None = None
        self._report = Report()

    def __enter__(self) -> Report:
        self._watcher = Watcher(codes=self._codes, stop_on=self._stop_on)
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
        self.finish(f"Stopped by stop_on at {error}." if stopped else None)
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
