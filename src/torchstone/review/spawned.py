"""Processes that a watched program spawns with `torch.multiprocessing.spawn` are watched too."""

from __future__ import annotations

import multiprocessing.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding
from torchstone.review import ranks

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher


class Carrier:
    """A function on its way to another process: what arrives there is the function itself, and is watched.

    Args:
        function: the user's.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.folder: Path | None = None
        self.codes: frozenset[str] | None = None

    def __reduce__(self) -> Any:
        if self.folder is None:
            return _as_it_is, (self.function,)
        return _arrive, (self.function, str(self.folder), self.codes)


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


class Spawned:
    """The processes that were spawned by this one: gives them a folder, and takes what they found."""

    def __init__(self, codes: frozenset[str] | None) -> None:
        self._codes = codes
        self._folders: list[Path] = []

    def on_spawning(self, event: Event) -> None:
        """Prepares for some."""
        folder = Path(tempfile.mkdtemp(prefix="torchstone-watch-"))
        self._folders.append(folder)
        event.subject.folder, event.subject.codes = folder, self._codes

    def groups(self) -> list[Path]:
        """The folder of each group of processes."""
        return list(self._folders)

    def findings(self) -> list[Finding]:
        """What they found; their folders are gone afterwards."""
        found: dict[tuple[Any, ...], Finding] = {}  # processes that know of no others say the same
        for folder in self._folders:
            for told in ranks.heard(folder, "found").values():
                for finding in map(Finding.from_json, told):
                    found.setdefault((finding.code, finding.file, finding.line, finding.message), finding)
            shutil.rmtree(folder, ignore_errors=True)
        self._folders.clear()
        return list(found.values())

    def steps(self) -> int:
        """The most steps that one of them did."""
        return max((steps for f in self._folders for steps in ranks.heard(f, "steps").values()), default=0)


class _Child:
    """The watcher of this process, which was spawned."""

    def __init__(self, folder: Path, codes: frozenset[str] | None) -> None:
        from torchstone.review.watcher import Watcher

        self.folder = folder
        self.watcher: Watcher = Watcher(codes=codes, on_finding=self._told, folder=folder)
        self.watcher.start()
        self.ending: Any = None

    def begin(self) -> None:
        """To be told of the process's end, by multiprocessing, which may end it without leaving Python."""
        if self.ending is None or not self.ending.still_active():
            self.ending = multiprocessing.util.Finalize(None, self.end, exitpriority=1000)

    def end(self) -> None:
        """The process ends; what ended it, torch has put behind an exit."""
        error = sys.exc_info()[1]
        if isinstance(error, SystemExit) and isinstance(error.__context__, Exception):
            error = error.__context__
        self.watcher.stop(error)
        self._told()
        ranks.tell(self.folder, "steps", os.getpid(), self.watcher.stream.step)

    def _told(self, finding: Finding | None = None) -> None:
        ranks.tell(self.folder, "found", os.getpid(), [one.to_json() for one in self.watcher.findings])


_children: list[_Child] = []


def _arrive(function: Callable[..., Any], folder: str, codes: frozenset[str] | None) -> Callable[..., Any]:
    """Runs in the other process when it receives the function."""
    try:
        child = _Child(Path(folder), codes)
        child.begin()
    except Exception as error:  # the program goes on, whatever fails here
        sys.stderr.write(f"torchstone: a process is not watched: {type(error).__name__}: {error}\n")
        return function
    _children.append(child)  # lives as long as the process
    multiprocessing.util.register_after_fork(child, _Child.begin)  # some versions forget what was before
    return function
