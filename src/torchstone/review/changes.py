"""Which lines a branch changed, asked of git."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from torchstone.errors import UsageError
from torchstone.finding import Finding

_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")
_ALL = range(1, 2**31)
_DIFF = (
    "-c",
    "core.quotePath=false",
    "diff",
    "--unified=0",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--diff-filter=d",
)


@dataclass(frozen=True)
class Changes:
    """The changed lines of the files of a repository, by absolute path; of a new file all lines."""

    lines: Mapping[str, tuple[range, ...]]

    def touches(self, file: str) -> bool:
        """Whether anything in a file was changed."""
        return os.path.realpath(file) in self.lines

    def has(self, finding: Finding) -> bool:
        """Whether a finding, or a place that takes part in it, lies on a changed line."""
        if finding.file is None:
            return False
        if finding.cell is not None or finding.line is None:
            return self.touches(finding.file)  # git counts lines of JSON: the file is as near as we get
        if self._any(finding.file, finding.line, finding.end_line or finding.line):
            return True
        return any(self._any(other.file, other.line, other.line) for other in finding.related)

    def _any(self, file: str, first: int, last: int) -> bool:
        ranges = self.lines.get(os.path.realpath(file), ())
        return any(lines.start <= last and first < lines.stop for lines in ranges)


def changed_since(revision: str, folder: str = ".") -> Changes:
    """What was changed since a branch left `revision`: committed, staged, in the work tree, and new files.

    Args:
        revision: a branch, tag or commit.
        folder: a folder in the repository.

    Raises:
        UsageError: no git, no repository, or no such revision.
    """
    top = _git(folder, "rev-parse", "--show-toplevel", what="The folder is not in a git repository").strip()
    what = f"git knows no revision {revision}"
    _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", what=what)
    base = _git(top, "merge-base", revision, "HEAD", what=f"{revision} and HEAD have no commit in common")
    diff = _git(top, *_DIFF, base.strip(), "--", what="git cannot compare the work tree")
    new = _git(top, "ls-files", "--others", "--exclude-standard", "-z", what="git cannot list new files")
    lines = _parse(diff, top)
    for name in filter(None, new.split("\0")):
        lines[os.path.realpath(os.path.join(top, name))] = (_ALL,)
    return Changes(lines)


def _parse(diff: str, top: str) -> dict[str, tuple[range, ...]]:
    """The changed lines of a unified diff without context; where lines were only removed, the one before."""
    lines: dict[str, tuple[range, ...]] = {}
    file = None
    for line in diff.split("\n"):
        if line.startswith("+++ b/"):
            file = os.path.realpath(os.path.join(top, line[6:].rstrip("\t")))
            lines.setdefault(file, ())
        elif file is not None and (hunk := _HUNK.match(line)):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            lines[file] += (range(first, first + max(count, 1)),)
    return lines


def _git(folder: str, *arguments: str, what: str) -> str:
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise UsageError("--changed-since needs git, which is not installed.") from None
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        raise UsageError(f"{what}.", hint=lines[0] if lines else None)
    return result.stdout
