"""The project's other files, found by path alone and read on demand."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING

from torchstone.review.reading import UnreadableError, read
from torchstone.review.syntax.names import LIBRARIES

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File

_LARGEST = 2_000_000
_MOST_IMPORTERS = 60
_MOST_HELD = 1_200_000
"""Characters of other files that are held between two checks; a tree takes a hundred times as much memory."""
_MOST_READ = 600_000
"""Characters of other files that are looked into for one checked file; what lies beyond is unknown."""
_CALLS = 1_500
"""How many calls are followed for one checked file; what lies beyond is unknown. Programs need up to 100."""


class Project:
    """The files around the one that is checked; each is read and parsed once."""

    def __init__(self) -> None:
        self._files: dict[str, File | None] = {}
        self._folders: dict[str, dict[str, str]] = {}
        self._around: dict[str, list[str]] = {}
        self._located: dict[tuple[str, str, int], str | None] = {}
        self._left = _CALLS
        self._seen: dict[str, int] = {}

    def start(self) -> None:
        """A new file is checked: what may be followed is counted anew, and memory is kept small."""
        self._left = _CALLS
        self._seen.clear()
        size = sum(len(file.source.text) for file in self._files.values() if file is not None)
        for path, file in list(self._files.items()):  # the one that was not asked for the longest comes first
            if size <= _MOST_HELD:
                break
            size -= len(file.source.text) if file is not None else 0
            del self._files[path]

    def dependencies(self, file: File) -> set[str]:
        """The paths of all files that had a part in what is known about `file`."""
        found: set[str] = set()
        waiting = [file]
        while waiting:
            for path in waiting.pop().used - found:
                found.add(path)
                other = self._files.get(path)
                if other is not None:
                    waiting.append(other)
        return found

    def spend(self) -> bool:
        """Whether one more call may be followed."""
        self._left -= 1
        return self._left > 0

    def find(self, file: File, module: str, level: int) -> File | None:
        """The file that `file` imports as `module`, None when there is none."""
        path = self.locate(file.source.path, module, level)
        if path is None:
            file.used |= self._places(file.source.path, module, level)
            return None
        file.used.add(path)
        return self._load(path)

    def holds(self, file: File, module: str) -> bool:
        """Whether a folder around `file` has the module's first part, read or not."""
        first = module.split(".")[0]
        return any(
            os.path.isdir(os.path.join(folder, first)) or os.path.isfile(os.path.join(folder, f"{first}.py"))
            for folder in self._folders_around(file.source.path)
        )

    def stands_alone(self, file: File) -> bool:
        """Whether `file` imports no other file of the project, and none imports it."""
        for node in (*file.index.nodes[ast.ImportFrom], *file.index.nodes[ast.Import]):
            for module, level in _imported(node):
                if level == 0 and module.split(".")[0] in LIBRARIES:
                    continue
                file.used |= self._places(file.source.path, module, level)
                if level or self.holds(file, module):
                    return False
        return not self.importers(file)

    def importers(self, file: File) -> list[File]:
        """Files beside `file` or one folder above it that import it."""
        if "importers" in file.cache:
            cached: list[File] = file.cache["importers"]
            return cached
        file.cache["importers"] = []
        own = os.path.abspath(file.source.path)
        stem = os.path.splitext(os.path.basename(own))[0]
        if stem == "__init__" or not os.path.isfile(own):
            return []
        folder = os.path.dirname(own)
        folders = (folder, os.path.dirname(folder))
        texts = {path: text for place in folders for path, text in self._python_files(place).items()}
        file.used |= {*texts, *(os.path.join(place, "*.py") for place in folders)} - {own}
        found = []
        for path, text in texts.items():
            if path != own and stem in text and "import" in text:
                other = self._load(path)
                if other is not None and _imports(self, other, own):
                    file.used.add(path)
                    found.append(other)
        file.cache["importers"] = found
        return found

    def _python_files(self, folder: str) -> dict[str, str]:
        """The text of the Python files in a folder; of none when there are too many to look into."""
        if folder not in self._folders:
            try:
                names = sorted(name for name in os.listdir(folder) if name.endswith(".py"))
            except OSError:
                names = []
            texts = {}
            for name in names if len(names) <= _MOST_IMPORTERS else ():
                path = os.path.join(folder, name)
                text = _text(path)
                if text is not None and "torch" in text:
                    texts[path] = text
            self._folders[folder] = texts
        return self._folders[folder]

    def locate(self, path: str, module: str, level: int) -> str | None:
        """The path of a module as a file at `path` imports it."""
        key = (os.path.dirname(path), module, level)
        if key not in self._located:
            self._located[key] = self._locate(path, module, level)
        return self._located[key]

    def _locate(self, path: str, module: str, level: int) -> str | None:
        parts = module.split(".") if module else []
        if level:
            folder = os.path.dirname(os.path.abspath(path))
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return _module_file(folder, parts)
        found = (_module_file(folder, parts) for folder in self._folders_around(path))
        return next((each for each in found if each is not None), None)

    def _places(self, path: str, module: str, level: int) -> set[str]:
        """Where a module that is not there would be; its coming changes what is known."""
        folders = [os.path.dirname(os.path.abspath(path))] if level else self._folders_around(path)
        first = module.split(".")[0]
        return {os.path.join(folder, name) for folder in folders for name in (first, f"{first}.py") if first}

    def _folders_around(self, path: str) -> list[str]:
        folder = os.path.dirname(path)
        if folder not in self._around:
            self._around[folder] = _around(path)
        return self._around[folder]

    def _load(self, path: str) -> File | None:
        # Counted whether it is held or not, so that a result does not depend on what was checked before.
        if path not in self._seen and sum(self._seen.values()) > _MOST_READ:
            return None
        if path in self._files:
            self._files[path] = self._files.pop(path)
        else:
            self._files[path] = None
            text = _text(path)
            if text is not None:
                from torchstone.review.syntax.file import File
                from torchstone.review.syntax.parse import parse

                sources = parse(text, path).sources
                self._files[path] = File(sources[0], self) if sources else None
        file = self._files[path]
        self._seen[path] = len(file.source.text) if file is not None else 0
        return file


def _text(path: str) -> str | None:
    try:
        return read(path).text if os.path.getsize(path) <= _LARGEST else None
    except (OSError, UnreadableError):
        return None


def _around(path: str) -> list[str]:
    """The folders to look for imports in: the file's own and those above, up to the project's root."""
    folders = []
    folder = os.path.dirname(os.path.abspath(path))
    for _ in range(6):
        folders.append(folder)
        if any(os.path.exists(os.path.join(folder, mark)) for mark in (".git", "pyproject.toml", "setup.py")):
            src = os.path.join(folder, "src")
            return [*folders, src] if os.path.isdir(src) else folders
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    return folders


def _module_file(folder: str, parts: list[str]) -> str | None:
    base = os.path.join(folder, *parts)
    for candidate in (f"{base}.py", os.path.join(base, "__init__.py")):
        if (parts or candidate.endswith("__init__.py")) and os.path.isfile(candidate):
            return candidate
    return None


def _imports(project: Project, other: File, own: str) -> bool:
    """Whether `other` imports the file at `own`."""
    for node in (*other.index.nodes[ast.ImportFrom], *other.index.nodes[ast.Import]):
        names = _imported(node)
        if any(project.locate(other.source.path, name, level) == own for name, level in names):
            return True
    return False


def _imported(node: ast.AST) -> list[tuple[str, int]]:
    """The modules that an import may ask for, each with its level."""
    if isinstance(node, ast.ImportFrom):
        before = f"{node.module}." if node.module else ""
        names = [node.module or "", *(before + alias.name for alias in node.names)]
        return [(name, node.level) for name in names if name or node.level]
    return [(alias.name, 0) for alias in node.names] if isinstance(node, ast.Import) else []
