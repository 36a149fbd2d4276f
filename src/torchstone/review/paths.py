"""Files and folders checked: which files, which mistakes, what is let pass, and the fixes written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypedDict

from torchstone.finding import Severity
from torchstone.review import settings as settings_of
from torchstone.review.discovery import Found, Rules, discover
from torchstone.review.index import entries
from torchstone.review.reading import UnreadableError, read_bytes
from torchstone.review.report import CheckError, FileResult, Report, place_of
from torchstone.review.selection import Layer, choose

if TYPE_CHECKING:
    from torchstone.review.baseline import Baseline
    from torchstone.review.changes import Changes
    from torchstone.review.excerpts import Excerpts
    from torchstone.review.job import Job


@dataclass(frozen=True)
class Options:
    """What is asked of a check; what is None is as the settings file says.

    Args:
        select, extend_select, ignore: codes, beginnings of codes, or names; `select` sets aside what the
            settings file chose.
        exclude: further glob patterns of what is not checked.
        force_exclude: whether patterns hold for files that are named too.
        respect_gitignore: whether `.gitignore` files are respected.
        config: the settings file.
        jobs: the number of processes; None: as many as are worth while.
        cache: whether results are kept in `.torchstone_cache` and taken from there.
        fix: which fixes are brought in.
        write: whether fixed files are written; else only `Report.changes` holds them.
        baseline: the file of findings to let pass.
        write_baseline: the file that all findings are written to, to be let pass from then on.
        changed_since: a revision of git: only lines that were changed since.
        fail_on: the least severity that makes `Report.failed` true.
    """

    select: Sequence[str] | None = None
    extend_select: Sequence[str] = ()
    ignore: Sequence[str] = ()
    exclude: Sequence[str] = ()
    force_exclude: bool | None = None
    respect_gitignore: bool | None = None
    config: str | None = None
    jobs: int | None = None
    cache: bool = False
    fix: Literal["none", "safe", "unsafe"] = "none"
    write: bool = True
    baseline: str | None = None
    write_baseline: str | None = None
    changed_since: str | None = None
    fail_on: Severity | None = None


class CheckOptions(TypedDict, total=False):
    """The fields of `Options` as keywords."""

    select: Sequence[str] | None
    extend_select: Sequence[str]
    ignore: Sequence[str]
    exclude: Sequence[str]
    force_exclude: bool | None
    respect_gitignore: bool | None
    config: str | None
    jobs: int | None
    cache: bool
    fix: Literal["none", "safe", "unsafe"]
    write: bool
    baseline: str | None
    write_baseline: str | None
    changed_since: str | None
    fail_on: Severity | None


def check_paths(paths: Iterable[str | os.PathLike[str]], options: Options | None = None) -> Report:
    """Checks files, and the files in folders; nothing in them is imported or run.

    Args:
        paths: files and folders.
        options: what is asked.

    Raises:
        UsageError: a path that is not there, or an option or setting that cannot be used.
    """
    names = [os.fspath(path) for path in paths]
    return _Check(names, options or Options()).files(names)


def check_content(text: str, filename: str, options: Options | None = None) -> Report:
    """Checks a text that is not (yet) what is on disk, as editors have it.

    Args:
        text: the text.
        filename: the name it has, or would have; a file of that name is not read.
        options: what is asked.

    Raises:
        UsageError: an option or setting that cannot be used.
    """
    return _Check([filename], options or Options()).text(text, os.path.normpath(filename))


class _Check:
    """One check: settings and selection are read once, then each file goes the same way."""

    def __init__(self, names: list[str], options: Options) -> None:
        self.options = options
        self.names = names
        self.settings = settings_of.load(names, options.config)
        layers = (
            Layer(self.settings.select, self.settings.ignore, self.settings.extend_select),
            Layer(options.select, options.ignore, options.extend_select),
        )
        self.selection = choose(entries(), layers, self.settings.per_file_ignores)
        self.root = os.path.abspath(self.settings.root)
        self.changes = self._changes()
        self.baseline = self._baseline()
        self.known: dict[str, int] = {}
        self.report = Report(fail_on=options.fail_on or self.settings.fail_on)

    def files(self, names: list[str]) -> Report:
        """The report on files and folders."""
        found = self._discover(names)
        self.report.files = len(found.files)
        self.report.errors += found.errors
        for job, result in self._results(found.files):
            kept = self._kept(job.path, result)
            self._add(self._mended_file(job, kept) if self.options.fix != "none" else kept)
        return self._finished()

    def text(self, text: str, filename: str) -> Report:
        """The report on a text."""
        from torchstone.review.jobs import check_guarded

        def check(text: str) -> FileResult:
            return check_guarded(text, filename, self._codes(filename))

        self.report.files = 1
        self.report.texts[filename] = text
        result = self._kept(filename, check(text))
        if self.options.fix != "none":
            result = self._mended(text, filename, result, check)[1]
        self._add(result)
        return self._finished()

    def _discover(self, names: list[str]) -> Found:
        settings, options = self.settings, self.options
        git, force = options.respect_gitignore, options.force_exclude
        rules = Rules(
            (*settings.exclude, *settings.extend_exclude, *options.exclude),
            self.root,
            settings.respect_gitignore if git is None else git,
            settings.force_exclude if force is None else force,
        )
        found = discover(names, rules)
        if self.changes is not None:
            found.files = [file for file in found.files if self.changes.touches(file)]
        return found

    def _codes(self, path: str) -> frozenset[str]:
        return self.selection.of(os.path.abspath(path), self.root)

    def _results(self, files: list[str]) -> Iterable[tuple[Job, FileResult]]:
        """Each file that could be read with its result, from the cache or new."""
        # The engine is imported only where the cache does not know every file.
        from torchstone.review.job import Job

        jobs: list[Job] = []
        for path in files:
            try:
                jobs.append(Job(path, read_bytes(path), self._codes(path)))
            except UnreadableError as error:
                self.report.errors.append(CheckError(path, error.line, error.message))
        cache = None
        if self.options.cache:
            from torchstone.review.cache import Cache

            cache = Cache(self.root, self.selection.codes)
        known = {}
        for job in jobs:
            if cache and (result := cache.get(job.path, job.data, job.codes)):
                known[job.path] = result
        waiting = [job for job in jobs if job.path not in known]
        if waiting:
            from torchstone.review.jobs import check_all, forget_files

            forget_files()
            for job, result in zip(waiting, check_all(waiting, self.options.jobs), strict=True):
                known[job.path] = result
                if cache:
                    cache.put(job.path, job.data, job.codes, result)
        if cache:
            cache.save()
        return [(job, known[job.path]) for job in jobs]

    def _changes(self) -> Changes | None:
        if self.options.changed_since is None:
            return None
        from torchstone.review.changes import changed_since

        first = os.path.abspath(self.names[0] if self.names else ".")
        folder = first if os.path.isdir(first) else os.path.dirname(first)
        return changed_since(self.options.changed_since, folder)

    def _baseline(self) -> Baseline | None:
        path = self.options.baseline
        if path is None and self.settings.baseline is not None:
            path = os.path.join(self.root, self.settings.baseline)
        if path is None or self.options.write_baseline is not None:
            return None
        from torchstone.review.baseline import Baseline

        return Baseline(path)

    @cached_property
    def _excerpts(self) -> Excerpts:
        from torchstone.review.excerpts import Excerpts

        return Excerpts(self.report.texts)

    def _kept(self, path: str, result: FileResult, excerpts: Excerpts | None = None) -> FileResult:
        """The result without what lies on unchanged lines and what the baseline knows."""
        findings = list(result.findings)
        if self.changes is not None:
            findings = [finding for finding in findings if self.changes.has(finding)]
        if self.baseline is not None:
            new = self.baseline.unknown(path, findings, excerpts or self._excerpts)
            self.known[path] = len(findings) - len(new)
            findings = new
        return replace(result, findings=tuple(findings))

    def _mended_file(self, job: Job, result: FileResult) -> FileResult:
        """The result after the fixes of a file were brought in and, where that is asked, written."""
        from torchstone.review.fixes import is_mendable
        from torchstone.review.jobs import check_guarded
        from torchstone.review.reading import decode
        from torchstone.review.writing import UnwritableError, write

        unsafe = self.options.fix == "unsafe"
        if not any(is_mendable(finding, unsafe=unsafe) for finding in result.findings):
            return result
        content, fixed = decode(job.data, job.path), self.report.fixed
        text, mended = self._mended(
            content.text, job.path, result, lambda text: check_guarded(text, job.path, job.codes)
        )
        if text == content.text or not self.options.write:
            return mended
        try:
            write(job.path, content, job.data, text)
        except UnwritableError as error:
            self.report.changes.pop()
            self.report.fixed = fixed
            self.report.texts.pop(job.path)
            return replace(result, errors=(*result.errors, CheckError(job.path, None, error.message)))
        self.changes = self._changes()  # lines have moved
        return self._kept(job.path, mended) if self.changes else mended

    def _mended(
        self, text: str, path: str, result: FileResult, check: Callable[[str], FileResult]
    ) -> tuple[str, FileResult]:
        """The text after its fixes, and what is left to say."""
        from torchstone.review.excerpts import Excerpts
        from torchstone.review.fixes import mend
        from torchstone.review.reading import newline_of

        def check_again(changed: str) -> FileResult:
            again = check(changed)
            if self.changes is not None:  # which lines the branch changed is known for the file on disk only
                return replace(again, findings=())
            return self._kept(path, again, Excerpts({path: changed}))

        mended = mend(
            text,
            path,
            result,
            check_again,
            unsafe=self.options.fix == "unsafe",
            newline=newline_of(text),
        )
        if mended.text != text:
            self.report.changes.append((path, text, mended.text))
            self.report.fixed += mended.count
            self.report.texts[path] = mended.text
        return mended.text, mended.result

    def _add(self, result: FileResult) -> None:
        self.report.findings += result.findings
        self.report.errors += result.errors

    def _finished(self) -> Report:
        report = self.report
        report.known = sum(self.known.values())
        report.findings.sort(key=place_of)
        report.errors.sort(key=lambda error: (error.file, error.line or 0, error.message))
        if self.options.write_baseline is not None:
            from torchstone.review.baseline import write
            from torchstone.review.excerpts import Excerpts

            path = self.options.write_baseline
            write(path, report.findings, Excerpts(report.texts))
            count = len(report.findings)
            written = f"{count} finding{'' if count == 1 else 's'} written to {path}"
            report.notes.append(f"{written}; --baseline {path} lets them pass.")
            report.known, report.findings = len(report.findings), []
        elif self.baseline is not None and self.changes is None and self.baseline.gone:
            path = self.baseline.path
            gone = self.baseline.gone
            are = "1 finding of it is" if gone == 1 else f"{gone} findings of it are"
            report.notes.append(f"{path}: {are} gone; --write-baseline {path} brings it up to date.")
        return report
