"""Patterns of paths: globs of the settings, and the rules of `.gitignore` files."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass


def matches(file: str, pattern: str, root: str) -> bool:
    """Whether a glob pattern means a file: its path below `root`, a folder on it, or (without `/`) any part.

    >>> matches("/p/tests/a.py", "tests/*.py", "/p"), matches("/p/lib/tests/a.py", "tests", "/p")
    (True, True)
    """
    inside = file.removeprefix(root.rstrip("/") + "/").strip("/")
    pattern = pattern.removeprefix("./").rstrip("/")
    if "/" not in pattern:
        expression = glob_expression(pattern)
        return any(expression.fullmatch(part) for part in inside.split("/"))
    text = file if pattern.startswith("/") else inside
    expression = glob_expression(pattern)
    parents = (text[: place.start()] for place in re.finditer("/", text))
    return any(expression.fullmatch(candidate) for candidate in (text, *parents) if candidate)


@functools.cache
def glob_expression(pattern: str) -> re.Pattern[str]:
    """A glob pattern as a regular expression: `*` and `?` stop at `/`, `**` does not, `[a-z]` is a set.

    >>> bool(glob_expression("a/**/b?.py").fullmatch("a/x/y/b1.py"))
    True
    """
    parts: list[str] = []
    place = 0
    while place < len(pattern):
        part, length = _next_part(pattern[place:])
        parts.append(part)
        place += length
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:  # a set such as [z-a] means nothing but itself
        return re.compile(re.escape(pattern))


def _next_part(rest: str) -> tuple[str, int]:
    """What the beginning of a pattern is as an expression, and how many characters of it that takes."""
    for sign, part in (("**/", "(?:.*/)?"), ("**", ".*"), ("*", "[^/]*"), ("?", "[^/]")):
        if rest.startswith(sign):
            return part, len(sign)
    if found := re.match(r"\[(!|\^)?(\]?[^\]]*)\]", rest):
        members = re.sub(r"([\\\[&~|])", r"\\\1", found[2])
        return f"[{'^/' if found[1] else ''}{members}]", found.end()
    if rest[0] == "\\" and len(rest) > 1:
        return re.escape(rest[1]), 2
    return re.escape(rest[0]), 1


@dataclass(frozen=True)
class IgnoreRule:
    """One line of a `.gitignore`."""

    expression: re.Pattern[str]
    again: bool
    folders_only: bool
    by_name: bool


@dataclass(frozen=True)
class IgnoreFile:
    """The rules of one `.gitignore`, for what lies below its folder; the last one that fits counts."""

    folder: str
    rules: tuple[IgnoreRule, ...]

    def ignores(self, path: str, name: str, is_folder: bool) -> bool | None:
        """Whether a path is ignored (True), taken again (False) or not spoken of (None)."""
        inside = path[len(self.folder) :].lstrip("/")
        for rule in reversed(self.rules):
            if rule.folders_only and not is_folder:
                continue
            if rule.expression.fullmatch(name if rule.by_name else inside):
                return not rule.again
        return None


def read_ignore_rules(folder: str, lines: Iterable[str]) -> IgnoreFile:
    """The rules of a `.gitignore` that lies in a folder.

    >>> rules = read_ignore_rules("/p", ["/runs/", "*.log", "!keep.log"])
    >>> rules.ignores("/p/runs", "runs", True), rules.ignores("/p/a/keep.log", "keep.log", False)
    (True, False)
    """
    rules = []
    for raw in lines:
        line = re.sub(r"(?<!\\)\s+$", "", raw)
        if not line or line.startswith("#"):
            continue
        again = line.startswith("!")
        line = line[1:] if again else line
        folders_only = line.endswith("/")
        line = line.rstrip("/")
        by_name = "/" not in line
        if line:
            rules.append(IgnoreRule(glob_expression(line.lstrip("/")), again, folders_only, by_name))
    return IgnoreFile(folder, tuple(rules))


def is_ignored(path: str, name: str, is_folder: bool, files: Iterable[IgnoreFile]) -> bool:
    """Whether `.gitignore` files, the outermost first, leave a path out."""
    verdict = None
    for file in files:
        answer = file.ignores(path, name, is_folder)
        verdict = verdict if answer is None else answer
    return bool(verdict)
