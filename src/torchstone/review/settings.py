"""`[tool.torchstone.check]` in `pyproject.toml`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torchstone.errors import ConfigError, did_you_mean
from torchstone.finding import Severity
from torchstone.review.discovery import EXCLUDED
from torchstone.review.report import SEVERITIES


@dataclass(frozen=True)
class Settings:
    """What the settings file says.

    Args:
        root: the folder of the settings file, or the current one where there is none; patterns and the
            baseline are relative to it.
        source: the settings file.
        select, extend_select, ignore: codes, beginnings of codes, or names.
        per_file_ignores: glob patterns with what is ignored in the files that match.
        exclude, extend_exclude: glob patterns of what is not checked.
        force_exclude: whether they hold for files that are named on the command line too.
        respect_gitignore: whether `.gitignore` files are respected.
        baseline: the file of findings that are known and let pass.
        fail_on: the least severity that makes the status 1.
    """

    root: str
    source: str | None = None
    select: list[str] | None = None
    extend_select: list[str] = field(default_factory=list)
    ignore: list[str] = field(default_factory=list)
    per_file_ignores: Mapping[str, list[str]] = field(default_factory=dict)
    exclude: list[str] = field(default_factory=lambda: list(EXCLUDED))
    extend_exclude: list[str] = field(default_factory=list)
    force_exclude: bool = False
    respect_gitignore: bool = True
    baseline: str | None = None
    fail_on: Severity = "advice"


_LISTS = ("select", "extend-select", "ignore", "exclude", "extend-exclude")
_FLAGS = ("force-exclude", "respect-gitignore")
_KEYS = (*_LISTS, *_FLAGS, "per-file-ignores", "baseline", "fail-on")


def load(paths: Iterable[str], config: str | None = None) -> Settings:
    """The settings for a check of some paths.

    Args:
        paths: what is checked; the settings are those of the nearest `pyproject.toml` with a section
            `[tool.torchstone.check]` in a folder that holds all of them, or above it.
        config: a settings file to take instead.

    Raises:
        ConfigError: the file is not TOML, or a key or value in it cannot be used; all of them are named.
    """
    if config is not None:
        return _settings(_section(config, asked=True) or {}, config)
    for folder in _upwards(_common_folder(paths)):
        file = os.path.join(folder, "pyproject.toml")
        if (section := _section(file)) is not None:
            return _settings(section, file)
    return Settings(root=os.getcwd())


def _common_folder(paths: Iterable[str]) -> str:
    folders = [os.path.abspath(path) for path in paths]
    folders = [path if os.path.isdir(path) else os.path.dirname(path) for path in folders]
    return os.path.commonpath(folders) if folders else os.getcwd()


def _upwards(folder: str) -> Iterable[str]:
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def _section(file: str, *, asked: bool = False) -> dict[str, Any] | None:
    """The section of a settings file, None where there is no file or no section."""
    try:
        with open(file, "rb") as opened:
            data = opened.read()
    except OSError as error:
        if asked:
            raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None
        return None
    if b"torchstone" not in data:  # spares the import of a TOML parser
        return None
    import tomllib

    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    section: Any = document
    for key in ("tool", "torchstone", "check"):
        section = section.get(key) if isinstance(section, dict) else None
    if section is not None and not isinstance(section, dict):
        raise ConfigError(f"{file}: tool.torchstone.check must be a table.")
    return section


def _settings(section: dict[str, Any], file: str) -> Settings:
    problems = [problem for key, value in section.items() if (problem := _problem(key, value))]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"{file}, [tool.torchstone.check]:\n{listed}")
    values = {key.replace("-", "_"): value for key, value in section.items()}
    return Settings(root=os.path.dirname(os.path.abspath(file)), source=file, **values)


def _problem(key: str, value: Any) -> str | None:
    """What is wrong with a key or its value, if anything."""
    if key not in _KEYS:
        near = did_you_mean(key, _KEYS) or f"Known: {', '.join(sorted(_KEYS))}."
        return f'unknown key "{key}". {near}'
    if key in _LISTS and not _is_words(value):
        return f'{key} must be a list of words, such as ["TS101"]'
    if key in _FLAGS and not isinstance(value, bool):
        return f"{key} must be true or false"
    if key == "per-file-ignores" and not (
        isinstance(value, dict) and all(_is_words(words) for words in value.values())
    ):
        return f'{key} must be a table of lists, such as {{"tests/*" = ["TS101"]}}'
    if key == "baseline" and not isinstance(value, str):
        return f"{key} must be the name of a file"
    if key == "fail-on" and value not in SEVERITIES:
        return f"{key} must be one of {', '.join(SEVERITIES)}"
    return None


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)
