"""Findings that were there when the check was adopted: kept in a file, and let pass from then on."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable

from torchstone.errors import UsageError
from torchstone.finding import Finding
from torchstone.review.excerpts import Excerpts

_VERSION = 1
_Known = tuple[str, str, str]
"""File, code, and the text of the line, which stays when lines are added above."""


class Baseline:
    """The findings that a baseline file lets pass.

    Args:
        path: the file; names of files in it are relative to its folder.

    Raises:
        UsageError: there is no such file, or it is no baseline.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder = os.path.dirname(os.path.abspath(path))
        self._known: dict[str, Counter[_Known]] = {}
        for key, count in self._read().items():
            self._known.setdefault(key[0], Counter())[key] += count
        self._gone: dict[str, int] = {}

    def unknown(self, file: str, findings: Iterable[Finding], excerpts: Excerpts) -> list[Finding]:
        """The findings of a file that are new; each entry of the baseline lets one pass."""
        name = _name(file, self._folder)
        left = Counter(self._known.get(name, ()))
        new = []
        for finding in findings:
            key = _key(finding, excerpts, self._folder)
            if left[key] > 0:
                left[key] -= 1
            else:
                new.append(finding)
        self._gone[name] = sum(left.values())
        return new

    @property
    def gone(self) -> int:
        """How many entries of the files that were checked were not found any more."""
        return sum(self._gone.values())

    def _read(self) -> dict[_Known, int]:
        try:
            with open(self.path, encoding="utf-8") as file:
                document = json.load(file)
            if document["version"] != _VERSION:
                version = document["version"]
                raise UsageError(f"{self.path} is a baseline of version {version}, not {_VERSION}.")
            return {
                (entry["file"], entry["code"], entry["line"]): int(entry["count"])
                for entry in document["findings"]
            }
        except OSError as error:
            hint = "Make one with: torchstone check --write-baseline FILE"
            message = f"The baseline {self.path} cannot be read: {error.strerror}."
            raise UsageError(message, hint=hint) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{self.path} is not a baseline of torchstone check.") from None


def write(path: str, findings: Iterable[Finding], excerpts: Excerpts) -> None:
    """Writes a baseline of findings, one entry a line, sorted: made to be kept in a repository.

    Raises:
        UsageError: it cannot be written.
    """
    folder = os.path.dirname(os.path.abspath(path))
    counted = Counter(_key(finding, excerpts, folder) for finding in findings)
    entries = [
        json.dumps({"file": file, "code": code, "line": line, "count": count})
        for (file, code, line), count in sorted(counted.items())
    ]
    text = ",\n".join(f"    {entry}" for entry in entries)
    body = f"[\n{text}\n  ]" if entries else "[]"
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'{{\n  "version": {_VERSION},\n  "findings": {body}\n}}\n')
    except OSError as error:
        raise UsageError(f"The baseline {path} cannot be written: {error.strerror}.") from None


def _name(file: str, folder: str) -> str:
    return os.path.relpath(file, folder).replace(os.sep, "/")


def _key(finding: Finding, excerpts: Excerpts, folder: str) -> _Known:
    line = excerpts.line(finding.file, finding.cell, finding.line)
    return _name(finding.file or "", folder), finding.code, (line or "").strip()
