"""`metrics.jsonl`: one JSON record a line, appended as training goes on. Imports no torch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any

from torchstone.errors import RunError
from torchstone.runs import durable
from torchstone.runs.directory import finite, unwritable


class MetricsLog:
    """The records of a run.

    Args:
        path: the file; made by the first record.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: IO[bytes] | None = None
        self._torn = False

    def append(self, record: dict[str, Any]) -> None:
        """Adds a record, visible to others at once; NaN and infinities become null.

        Raises:
            RunError: it cannot be written; the records before are intact.
        """
        line = json.dumps(finite(record), ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            if self._file is None or self._torn:
                self._open()
            assert self._file is not None  # noqa: S101
            self._torn = True  # until the line is whole
            while line:  # a disk that fills up may take a part without an error
                line = line[self._file.write(line) :]
            self._file.flush()
            self._torn = False
        except OSError as error:
            raise unwritable(self.path, error) from None

    def read(self) -> list[dict[str, Any]]:
        """The records so far; a last line that was torn by a crash is passed over.

        Raises:
            RunError: the file cannot be read, or another line is damaged.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"{self.path} cannot be read: {error.strerror or error}.") from None
        lines = content.split(b"\n")[:-1]  # what follows the last line feed is not whole
        return [_record(self.path, number, line) for number, line in enumerate(lines, 1) if line.strip()]

    def truncate(self, step: int) -> list[dict[str, Any]]:
        """Drops the records of later steps, which will be written again; gives those that stay.

        Raises:
            RunError: the file cannot be read or written.
        """
        self.close()
        kept = [record for record in self.read() if record.get("step", 0) <= step]
        content = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept)
        try:
            durable.write_bytes(self.path, content.encode())
        except OSError as error:
            raise unwritable(self.path, error) from None
        return kept

    def sync(self) -> None:
        """Waits until the records are on the disk.

        Raises:
            RunError: they cannot be written.
        """
        if self._file is None:
            return
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from None

    def close(self) -> None:
        """Closes the file; the next record opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        """Opens the file to append, after its last whole line. Unbuffered: nothing waits to fail later."""
        self.close()
        self._file = self.path.open("ab", buffering=0)
        self._torn = False
        content_end = _end_of_last_line(self.path)
        if content_end < self.path.stat().st_size:
            self._file.truncate(content_end)


def _end_of_last_line(path: Path) -> int:
    """The place behind the last line feed, 0 when there is none."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(end - 4096, 0)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise RunError(f"{path} is damaged in line {number}: {error}.") from None
    if not isinstance(record, dict):
        raise RunError(f"{path} is damaged in line {number}: it holds no JSON object.")
    return record
