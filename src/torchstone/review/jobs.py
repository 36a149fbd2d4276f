"""Many files checked, by several processes where that is worth their start."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache

from torchstone.review.catalogue import load_catalogue
from torchstone.review.job import Job
from torchstone.review.reading import UnreadableError, decode
from torchstone.review.report import CheckError, FileResult
from torchstone.review.source import check_text
from torchstone.review.syntax.project import Project

WORTH_A_PROCESS = 300_000
"""Bytes of source that mention torch; below it a second process costs more than it saves."""


def check_all(jobs: Sequence[Job], processes: int | None = None) -> Iterator[FileResult]:
    """The results in the order of the jobs.

    Args:
        jobs: the files.
        processes: how many work at once; None: as many as there are cores, one where there is little to do.
    """
    count = _processes(jobs) if processes is None else min(processes, len(jobs))
    if count <= 1:
        yield from map(check_one, jobs)
    else:
        load_catalogue()  # a process that is forked has it then
        yield from _in_processes(jobs, count)


def check_one(job: Job) -> FileResult:
    """The result for one file; whatever it holds, and whatever goes wrong with it, there is one."""
    try:
        text = decode(job.data, job.path).text
    except UnreadableError as error:
        return FileResult(errors=(CheckError(job.path, error.line, error.message),))
    return check_guarded(text, job.path, job.codes)


def check_guarded(text: str, path: str, codes: frozenset[str]) -> FileResult:
    """The result for a text; a fault of ours is told as an error of this file, and the run goes on."""
    try:
        return check_text(text, path, codes=codes, project=_project())
    except Exception as error:
        message = f"could not be checked, please report this: {type(error).__name__}: {error}"
        return FileResult(errors=(CheckError(path, None, message),))


@cache
def _project() -> Project:
    """The other files, as this process has read them so far."""
    return Project()


def forget_files() -> None:
    """Lets other files be read anew: they may have changed since the last check of this process."""
    _project.cache_clear()


def _processes(jobs: Sequence[Job]) -> int:
    """How many processes are worth while."""
    size = sum(len(job.data) for job in jobs if b"torch" in job.data)
    return min(_cores(), len(jobs), size // WORTH_A_PROCESS)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_processes(jobs: Sequence[Job], count: int) -> Iterator[FileResult]:
    """Groups of neighbouring files, which have dependencies in common, go to the same process."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    size = max(1, min(32, len(jobs) // (count * 4)))
    groups = [jobs[first : first + size] for first in range(0, len(jobs), size)]
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    done = 0
    with ProcessPoolExecutor(count, context) as pool:
        try:
            for results in pool.map(_check_group, groups):
                done += 1
                yield from results
            return
        except BrokenProcessPool:
            pass  # a process died, of memory or a fault in the interpreter: go on with care, below
    for group in groups[done:]:
        yield from map(_check_apart, group)


def _check_group(jobs: Sequence[Job]) -> list[FileResult]:
    return [check_one(job) for job in jobs]


def _check_apart(job: Job) -> FileResult:
    """The result for one file, by a process that may die of it."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(1, context) as pool:
        try:
            return pool.submit(check_one, job).result()
        except BrokenProcessPool:
            message = "could not be checked: the process that read it died"
            return FileResult(errors=(CheckError(job.path, None, message),))
