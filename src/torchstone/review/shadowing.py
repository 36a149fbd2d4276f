"""Modules of the user's that have the name of one that was imported before: both get their own."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from types import ModuleType

_OF_THE_START = {
    *("_collections_abc", "_sitebuiltins", "abc", "codecs", "encodings", "genericpath", "io", "ntpath", "os"),
    *("posixpath", "site", "sitecustomize", "stat", "usercustomize", "zipimport", "__main__", "torchstone"),
    *sys.builtin_module_names,
}
"""What python has imported before any script, so that it finds no file of that name unwatched either."""


class Shadowed:
    """The imported modules whose names a folder of the user's has too.

    Args:
        folder: the first in which the script looks for modules.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        tops = {name.partition(".")[0] for name in list(sys.modules)} - _OF_THE_START
        self._names = {name for name in tops if self._has(name)}
        self._ours: dict[str, ModuleType] = {}

    def __bool__(self) -> bool:
        return bool(self._names)

    def _has(self, name: str) -> bool:
        """Whether the folder has such a module, and it is not the one that is imported."""
        try:
            spec = PathFinder.find_spec(name, [self._folder])
        except (ImportError, OSError, ValueError):
            return False
        if spec is None or spec.loader is None:  # nothing, or a folder without __init__.py, which comes last
            return False
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is None or spec.origin is None:
            return file is not spec.origin
        return os.path.realpath(spec.origin) != os.path.realpath(str(file))

    def give_way(self) -> None:
        """From now on the script imports its own."""
        for name in [name for name in sys.modules if name.partition(".")[0] in self._names]:
            self._ours[name] = sys.modules.pop(name)

    @contextlib.contextmanager
    def back(self) -> Iterator[None]:
        """Inside, what is imported is found as if the user's folder were not there."""
        if not self._names:
            yield
            return
        path, modules = list(sys.path), dict(sys.modules)
        sys.path[:] = [folder for folder in path if folder != self._folder]
        sys.modules.update(self._ours)
        try:
            yield
        finally:
            sys.path[:] = path
            for name in self._ours:
                if name in modules:
                    sys.modules[name] = modules[name]
                else:
                    sys.modules.pop(name, None)
