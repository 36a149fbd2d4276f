"""Results kept between checks, by content: of the file, of what it depends on, and of the rules."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from typing import Any

import torchstone
from torchstone.finding import Finding
from torchstone.review.index import fingerprint
from torchstone.review.report import CheckError, FileResult

FOLDER = ".torchstone_cache"
_KEPT_FILES = 6


class Cache:
    """The results of earlier checks, in one JSON file for each version and selection.

    Args:
        root: the folder in which the cache's folder is made.
        codes: the codes that are looked for.
    """

    def __init__(self, root: str, codes: Iterable[str]) -> None:
        parts = (torchstone.__version__, sys.version, fingerprint(), *sorted(codes))
        name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
        self.folder = os.path.join(root, FOLDER)
        self.file = os.path.join(self.folder, f"check-{name}.json")
        self._entries = self._load()
        self._digests: dict[str, str | None] = {}
        self._changed = False

    def get(self, path: str, data: bytes, codes: Iterable[str]) -> FileResult | None:
        """The result for a file of this content, if it is known and still holds."""
        entry = self._entries.get(os.path.abspath(path))
        try:
            if entry is None or entry["key"] != _key(path, data, codes):
                return None
            if any(self._digest(place) != digest for place, digest in entry["dependencies"].items()):
                return None
            return FileResult(
                tuple(Finding.from_json(values) for values in entry["findings"]),
                tuple(CheckError(**values) for values in entry["errors"]),
                tuple(entry["dependencies"]),
            )
        except (KeyError, TypeError, AttributeError):  # written by another program, or half of it
            return None

    def put(self, path: str, data: bytes, codes: Iterable[str], result: FileResult) -> None:
        """Keeps a result."""
        self._changed = True
        self._entries[os.path.abspath(path)] = {
            "key": _key(path, data, codes),
            "dependencies": {place: self._digest(place) for place in result.dependencies},
            "findings": [finding.to_json() for finding in result.findings],
            "errors": [error.to_json() for error in result.errors],
        }

    def save(self) -> None:
        """Writes what is new; where that cannot be done the next check is slow, and nothing else."""
        if not self._changed:
            return
        with contextlib.suppress(OSError):
            os.makedirs(self.folder, exist_ok=True)
            ignore = os.path.join(self.folder, ".gitignore")
            if not os.path.exists(ignore):
                with open(ignore, "w", encoding="utf-8") as file:
                    file.write("*\n")
            handle, aside = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"version": 1, "files": self._entries}, file)
            os.replace(aside, self.file)
            self._remove_old()

    def _load(self) -> dict[str, Any]:
        try:
            with open(self.file, encoding="utf-8") as file:
                files = json.load(file)["files"]
            return files if isinstance(files, dict) else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}  # not there, or broken: as if nothing were known

    def _digest(self, path: str) -> str | None:
        """The digest of a file that another one depends on; None while there is none."""
        if path not in self._digests:
            self._digests[path] = _digest_of(path)
        return self._digests[path]

    def _remove_old(self) -> None:
        """Keeps the files of the last few versions and selections."""
        files = [entry for entry in os.scandir(self.folder) if entry.name.startswith("check-")]
        files.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
        for entry in files[_KEPT_FILES:]:
            os.unlink(entry.path)


def _digest_of(path: str) -> str | None:
    """A file's digest, `folder` for a folder, None where there is nothing; for `*.py` that of the names."""
    try:
        if path.endswith("*.py"):
            names = sorted(name for name in os.listdir(os.path.dirname(path)) if name.endswith(".py"))
            return hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except IsADirectoryError:
        return "folder"
    except OSError:
        return None


def _key(path: str, data: bytes, codes: Iterable[str]) -> str:
    """What a result depends on beside other files: name as it is shown, content, rules."""
    digest = hashlib.sha256(f"{path}\0{','.join(sorted(codes))}\0".encode("utf-8", "surrogateescape"))
    digest.update(data)
    return digest.hexdigest()
