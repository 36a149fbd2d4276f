"""Which files are checked: the given ones, and in folders Python files, notebooks and Markdown pages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from torchstone.errors import UsageError
from torchstone.review.patterns import IgnoreFile, is_ignored, matches, read_ignore_rules
from torchstone.review.report import CheckError

SUFFIXES = (".py", ".pyw", ".ipynb", ".md", ".markdown")
"""What is taken from a folder; a file that is named itself is always taken."""

EXCLUDED = (
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".hg",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".torchstone_cache",
    ".venv",
    "__pycache__",
    "__pypackages__",
    "_build",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
)
"""The default of `exclude`: what a person does not write by hand."""


@dataclass(frozen=True)
class Rules:
    """What is left out.

    Args:
        exclude: glob patterns.
        root: the folder that the patterns are relative to, as an absolute path.
        gitignore: whether `.gitignore` files are respected.
        force: whether `exclude` holds for files that are named themselves as well.
    """

    exclude: Sequence[str] = EXCLUDED
    root: str = "/"
    gitignore: bool = True
    force: bool = False


@dataclass
class Found:
    """The files to check, in order, and the folders that could not be read."""

    files: list[str] = field(default_factory=list)
    errors: list[CheckError] = field(default_factory=list)


def discover(paths: Iterable[str], rules: Rules) -> Found:
    """The files that paths mean; each once, folders in the order of their names.

    Links to folders inside a folder are not followed, so there is no way round in circles.

    Raises:
        UsageError: a path that is not there.
    """
    found = Found()
    seen: set[str] = set()
    for path in paths:
        name = os.path.normpath(path)
        if os.path.isdir(name):
            files: Iterable[str] = _Walk(rules, found.errors).files(name)
        elif os.path.lexists(name):
            files = [] if rules.force and _excluded(name, rules) else [name]
        else:
            raise UsageError(f"There is no file or folder {path}.", hint=f"Looked in {os.getcwd()}.")
        for file in files:
            identity = os.path.realpath(file)
            if identity not in seen:
                seen.add(identity)
                found.files.append(file)
    return found


class _Walk:
    """One walk through a folder; keeps the patterns and the `.gitignore` files on the way down."""

    def __init__(self, rules: Rules, errors: list[CheckError]) -> None:
        self.rules = rules
        self.errors = errors
        self.names = frozenset(pattern for pattern in rules.exclude if not set(pattern) & set("*?[/"))
        self.patterns = [pattern for pattern in rules.exclude if pattern not in self.names]

    def files(self, top: str) -> Iterator[str]:
        """The files below a folder that was named: the folder itself is taken whatever the patterns say."""
        waiting = [(top, list(_ignore_files_above(os.path.abspath(top))) if self.rules.gitignore else [])]
        while waiting:
            folder, ignoring = waiting.pop()
            entries = self._entries(folder)
            if folder != top and any(entry.name == "pyvenv.cfg" for entry in entries):
                continue  # a virtual environment, whatever its name
            if self.rules.gitignore and any(entry.name == ".gitignore" for entry in entries):
                ignoring = [*ignoring, *_ignore_file(os.path.abspath(folder), ".gitignore")]
            folders = []
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                path = entry.path[2:] if entry.path.startswith("./") else entry.path
                if not (is_folder or entry.name.endswith(SUFFIXES)):
                    continue
                if self._left_out(path, entry.name, is_folder, ignoring):
                    continue
                if is_folder:
                    folders.append((path, ignoring))
                elif os.path.isfile(path):  # not a link to a folder, a dead link, a pipe
                    yield path
            waiting.extend(reversed(folders))

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            message = f"the folder cannot be read: {(error.strerror or str(error)).lower()}"
            self.errors.append(CheckError(folder, None, message))
            return []

    def _left_out(self, path: str, name: str, is_folder: bool, ignoring: list[IgnoreFile]) -> bool:
        if name in self.names:
            return True
        if not self.patterns and not ignoring:
            return False
        absolute = os.path.abspath(path)
        if any(matches(absolute, pattern, self.rules.root) for pattern in self.patterns):
            return True
        return is_ignored(absolute, name, is_folder, ignoring)


def _excluded(path: str, rules: Rules) -> bool:
    """Whether a file that was named is left out, by a pattern or by a `.gitignore`."""
    absolute = os.path.abspath(path)
    if any(matches(absolute, pattern, rules.root) for pattern in rules.exclude):
        return True
    if not rules.gitignore:
        return False
    folder = os.path.dirname(absolute)
    ignoring = [*_ignore_files_above(folder), *_ignore_file(folder, ".gitignore")]
    return is_ignored(absolute, os.path.basename(absolute), False, ignoring)


def _ignore_files_above(folder: str) -> Iterator[IgnoreFile]:
    """The rules that hold for a folder from above it: from the repository's top to its parent."""
    chain, top = list[str](), folder
    while not os.path.exists(os.path.join(top, ".git")):
        parent = os.path.dirname(top)
        if parent == top:
            return  # not in a repository
        chain.append(parent)
        top = parent
    yield from _ignore_file(top, os.path.join(".git", "info", "exclude"))
    for above in reversed(chain):
        yield from _ignore_file(above, ".gitignore")


def _ignore_file(folder: str, name: str) -> list[IgnoreFile]:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            return [read_ignore_rules(folder, file.read().splitlines())]
    except OSError:
        return []  # not there, or not for us to read: it says nothing
