"""The files of the program that a file is part of, as far as they are known."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from torchstone.review.syntax.names import LIBRARIES

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File

_MOST = 24


def files_of_program(file: File) -> list[File]:
    """A file, those that import it, and those that any of these imports; itself first."""
    if "program" not in file.cache:
        found = [file, *file.project.importers(file)]
        for each in found:  # it grows
            found += [other for other in _imported(each) if other not in found][: _MOST - len(found)]
        file.cache["program"] = found
    result: list[File] = file.cache["program"]
    return result


def trains(files: list[File]) -> bool:
    """Whether a program is one of training, and no library that others use."""
    return any(file.index.calls_by_name.get("backward") for file in files)


def runs(files: list[File]) -> bool:
    """Whether files are of a program: one of them trains, or has a loop outside of functions and classes."""
    loops = (ast.For, ast.While, ast.With)
    return trains(files) or any(isinstance(node, loops) for file in files for node in file.source.tree.body)


def _imported(file: File) -> list[File]:
    """The project's files that a file imports."""
    found: list[File] = []
    for node in (*file.index.nodes[ast.ImportFrom], *file.index.nodes[ast.Import]):
        modules: list[tuple[str, int]] = []
        if isinstance(node, ast.ImportFrom):
            before = f"{node.module}." if node.module else ""
            modules = [(node.module or "", node.level)]
            modules += [(before + alias.name, node.level) for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [(alias.name, 0) for alias in node.names]
        for module, level in modules:
            if (level or module.split(".")[0] not in LIBRARIES) and (module or level):
                other = file.project.find(file, module, level)
                if other is not None and other not in found:
                    found.append(other)
    return found
