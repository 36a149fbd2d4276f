"""A run's folder: where each file is, and how it is written so that it is whole or not there."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from torchstone.errors import RunError, RunPathError, did_you_mean
from torchstone.runs import durable
from torchstone.runs.process import is_gone

DEFAULT_PARENT = Path("runs")
_FILES = (
    "config.toml",
    "manifest.json",
    "metrics.jsonl",
    "preprocessing.json",
    "findings.json",
    "report.html",
    "model.safetensors",
    "events.out.tfevents.*",
    ".beginning-*",
)
_FOLDERS = ("checkpoints", "evaluations")
_ASIDE = r"(\.\d+-[0-9a-f]{8})"
_MARK = re.compile(rf"\.{{1,2}}(?P<what>probe|beginning)-(?P<process>\d+){_ASIDE}?")
"""The names of what `_probe` and `RunDirectory.beginning` write for a moment."""

_HALF_WRITTEN = re.compile(rf"\.(config\.toml|(preprocessing|findings|manifest)\.json){_ASIDE}")
"""The names of files of a request that were being written."""

_LOG = logging.getLogger("torchstone")


class RunDirectory:
    """The folder of one run; see `docs/architecture.md` for its files.

    Args:
        path: the folder. Use `create` for a new run and `open` for one that exists.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._made = False

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    @classmethod
    def create(
        cls, path: str | os.PathLike[str] | None = None, name_hint: str = "run", force: bool = False
    ) -> RunDirectory:
        """Makes the folder of a new run.

        Args:
            path: the folder; None for `runs/<name_hint>-<date>-<time>`, with `-2`, `-3` ... where taken.
            name_hint: what the default name begins with, such as `adult-tabm`.
            force: replace the run that is in the folder. Only a run's own files are removed.

        Raises:
            RunPathError: the folder holds something already, or cannot be made or written; status 2.
        """
        if path is None:
            directory = cls(_new_default(DEFAULT_PARENT, name_hint))
            directory._made = True
            return directory
        folder = Path(path)
        existed = folder.exists()
        try:
            if folder.is_dir() and any(folder.iterdir()):
                _remove_leftovers(folder)
            if folder.is_dir() and any(folder.iterdir()):
                if not force:
                    raise _occupied(folder)
                _remove_run(folder)
            folder.mkdir(parents=True, exist_ok=True)
            _probe(folder)
        except OSError as error:
            raise _unwritable(folder, error) from None
        directory = cls(folder)
        directory._made = not existed
        return directory

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunDirectory:
        """The folder of a run that exists.

        Raises:
            RunPathError: there is no run; offers the nearest one beside it.
        """
        folder = Path(path)
        if folder.is_file() and is_run(folder.parent):
            folder = folder.parent
        if is_run(folder):
            return cls(folder)
        if _never_began(folder):
            raise RunPathError(
                f"{folder} is not a run: its process was killed before the training began.",
                hint="Nothing was computed. Start it again with the command that started it.",
            )
        what = "there is no such folder" if not folder.exists() else "it has no manifest.json"
        raise RunPathError(f"{folder} is not a run: {what}.", hint=_nearest_run(folder))

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """For the time in which the request is written, the manifest last: leaves a mark if it is killed.

        By the mark the next run knows that what it finds is no run and nobody's file.

        Raises:
            RunError: nothing can be written.
        """
        mark = self.write_text(f".beginning-{os.getpid()}", "")
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    def discard(self) -> None:
        """Takes back what `create` made, after a request that could not be written: a run's own files alone,
        and the folder where it is new and empty.
        """
        _remove_run(self.path)
        if self._made and self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def resuming(self) -> str:
        """How a person goes on with the run: the command, or for a run of `ts.fit` the call."""
        try:
            is_fit = self.read_object(self.manifest_path).get("kind") == "fit"
        except RunError:
            is_fit = False
        return (
            f'ts.resume("{self.path}", net=..., train=..., ...)'
            if is_fit
            else f"torchstone resume {self.path}"
        )

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def config_path(self) -> Path:
        """What was asked, runnable again."""
        return self.path / "config.toml"

    @property
    def manifest_path(self) -> Path:
        """Versions, machine, data, split, status."""
        return self.path / "manifest.json"

    @property
    def metrics_path(self) -> Path:
        """One JSON record a line."""
        return self.path / "metrics.jsonl"

    @property
    def preprocessing_path(self) -> Path:
        """How raw rows become inputs."""
        return self.path / "preprocessing.json"

    @property
    def findings_path(self) -> Path:
        """What was found wrong with data or model."""
        return self.path / "findings.json"

    @property
    def report_path(self) -> Path:
        """The report, one file."""
        return self.path / "report.html"

    @property
    def weights_path(self) -> Path:
        """The weights that the run ended with."""
        return self.path / "model.safetensors"

    @property
    def checkpoints_path(self) -> Path:
        """The folder of checkpoints, one folder a step."""
        return self.path / "checkpoints"

    @property
    def evaluations_path(self) -> Path:
        """The folder of evaluations, one file a split."""
        return self.path / "evaluations"

    def write_text(self, name: str | os.PathLike[str], text: str) -> Path:
        """Writes a file of the run (UTF-8), whole or not at all; folders on the way are made.

        Args:
            name: the file's name inside the run, such as `evaluations/test.json`, or one of the paths above.
            text: its content.

        Raises:
            RunError: it cannot be written; what was there before is still there.
        """
        path = self._inside(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            durable.write_bytes(path, text.encode("utf-8"))
        except OSError as error:
            raise unwritable(path, error) from None
        return path

    def write_json(self, name: str | os.PathLike[str], value: Any) -> Path:
        """Writes a JSON file of the run, whole or not at all; NaN and infinities become null.

        Raises:
            RunError: it cannot be written; what was there before is still there.
        """
        return self.write_text(
            name, json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        )

    def read_json(self, name: str | os.PathLike[str]) -> Any:
        """The value in a JSON file of the run.

        Raises:
            RunError: the file is missing or is not JSON.
        """
        path = self._inside(name)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror or error}.") from None
        except ValueError as error:
            raise RunError(f"{path} is damaged: {error}.") from None

    def read_object(self, name: str | os.PathLike[str]) -> dict[str, Any]:
        """The object in a JSON file of the run.

        Raises:
            RunError: the file is missing, is not JSON, or holds something else.
        """
        value = self.read_json(name)
        if not isinstance(value, dict):
            raise RunError(f"{self._inside(name)} is damaged: it holds no JSON object.")
        return value

    def _inside(self, name: str | os.PathLike[str]) -> Path:
        path = Path(name)
        return path if path.is_absolute() or path.is_relative_to(self.path) else self.path / path


def is_run(path: Path) -> bool:
    """Whether the folder holds a run."""
    return (path / "manifest.json").is_file()


def finite(value: Any) -> Any:
    """JSON values with null for NaN and infinities, which JSON does not have; tuples become lists."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def unwritable(path: Path, error: OSError) -> RunError:
    """The error for a file that could not be written during a run; says how much space is left."""
    reason = error.strerror or str(error)
    try:
        free = f" ({shutil.disk_usage(path.parent).free / 1e6:,.0f} MB free)"
    except OSError:
        free = ""
    return RunError(
        f"{path} cannot be written: {reason}{free}.",
        hint="What was written before is intact. Free some space or mend the folder, then resume the run.",
    )


def _new_default(parent: Path, name_hint: str) -> Path:
    words = re.sub(r"[^A-Za-z0-9._]+", "-", name_hint).strip("-._").lower()[:60] or "run"
    name = f"{words}-{datetime.now():%Y-%m-%d-%H%M}"
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)  # fails where taken, so two runs started at once never meet
            _probe(folder)
        except FileExistsError:
            if not parent.is_dir():
                raise RunPathError(
                    f"{parent} is a file, so no run can be kept in it.", hint="Give --out DIR."
                ) from None
            number += 1
        except OSError as error:
            raise _unwritable(folder, error) from None
        else:
            return folder


def _probe(folder: Path) -> None:
    """Finds out before hours of training, not after, that nothing can be written here."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        durable.write_bytes(probe, b"torchstone" * 400)
    finally:
        probe.unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Removes what a process that was killed here left: all of it is its own until a run has begun."""
    if _never_began(folder):
        _LOG.warning("%s: a run was killed here before its training began; what it left is replaced.", folder)
        _remove_run(folder)
    found = list(folder.iterdir())
    if all(_is_of_killed(path) or _HALF_WRITTEN.fullmatch(path.name) for path in found):
        for path in found:
            path.unlink(missing_ok=True)


def _never_began(folder: Path) -> bool:
    """Whether the folder holds what is left of a run that was killed before its manifest was written."""
    if is_run(folder) or not folder.is_dir():
        return False
    return any(_is_of_killed(path, "beginning") for path in folder.iterdir())


def _is_of_killed(path: Path, what: str | None = None) -> bool:
    """Whether a file is a mark, of a probe or a beginning, of a process that is no more."""
    mark = _MARK.fullmatch(path.name)
    if mark is None or what not in (None, mark["what"]):
        return False
    return is_gone({"host": socket.gethostname(), "pid": int(mark["process"])})


def _occupied(folder: Path) -> RunPathError:
    if is_run(folder):
        return RunPathError(
            f"{folder} holds a run already.",
            hint=f"Give another --out, replace it with --force, or go on with it: torchstone resume {folder}",
        )
    return RunPathError(
        f"{folder} is not empty.", hint="Give another --out, or --force to put the run beside what is there."
    )


def _unwritable(folder: Path, error: OSError) -> RunPathError:
    return RunPathError(
        f"{folder} cannot be used for the run: {error.strerror or error}.",
        hint="Give a folder that can be written with --out DIR.",
    )


def _remove_run(folder: Path) -> None:
    """Removes a run's own files and nothing else; the manifest first, so that half of it is no run."""
    (folder / "manifest.json").unlink(missing_ok=True)
    for pattern in _FILES:
        for path in folder.glob(pattern):
            path.unlink()
    for name in _FOLDERS:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


def _nearest_run(folder: Path) -> str | None:
    inside = sorted(path for path in folder.glob("*") if is_run(path)) if folder.is_dir() else []
    if inside:
        names = ", ".join(str(path) for path in inside[:5])
        return f"It holds runs: {names}. `torchstone runs {folder}` lists them."
    beside = {
        path.name: path
        for place in (folder.parent, DEFAULT_PARENT)
        for path in place.glob("*")
        if is_run(path)
    }
    near = did_you_mean(folder.name, beside)
    for name, path in beside.items():
        near = near.replace(f'"{name}"', f'"{path}"')
    return near or "`torchstone runs` lists the runs."
