"""Files that are whole or not there, also after a crash or a loss of power. Imports no torch."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all: aside, to the disk, then renamed over what was there.

    Args:
        path: the file; its folder exists.
        content: all of it.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    aside = aside_of(path)
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)


def aside_of(path: Path) -> Path:
    """A name beside `path` that nobody else uses, for what is not whole yet."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")


def sync_file(path: Path) -> None:
    """Waits until the content of a file is on the disk.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Waits until the names in a folder are on the disk, where the system can do that.

    Raises:
        OSError: they cannot be written.
    """
    if os.name == "nt":  # cannot open folders; NTFS keeps a journal of names
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems have no such thing
            raise
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
