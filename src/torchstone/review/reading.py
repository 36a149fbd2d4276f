"""Bytes of a source file as text and back, so that what a fix does not touch stays as it was."""

from __future__ import annotations

import codecs
import os
import re
import stat
from dataclasses import dataclass

LARGEST_FILE = 64 * 1024 * 1024
"""Bytes; a larger file is not source code and is not read."""

_DECLARATION = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"^[ \t\f]*(?:#.*)?$")
_LINE_END = re.compile(rb"\r\n|\r|\n")


class UnreadableError(Exception):
    """A file that cannot be had as text; `line` is where, if there is a place."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class Content:
    """A file's text, with what is needed to write it back byte for byte.

    Args:
        text: the text as it is in the file, line ends included, without a byte order mark.
        encoding: the name of the encoding, a byte order mark aside.
        mark: the byte order mark, or `b""`.
    """

    text: str
    encoding: str
    mark: bytes = b""

    def encode(self, text: str) -> bytes:
        """Another text in this file's encoding.

        Raises:
            UnicodeEncodeError: the encoding has no such character.
        """
        return self.mark + text.encode(self.encoding)


def newline_of(text: str) -> str:
    """The line end that most lines of a text have."""
    windows = text.count("\r\n")
    counts = {"\n": text.count("\n") - windows, "\r\n": windows, "\r": text.count("\r") - windows}
    return max(counts, key=lambda end: counts[end])


def read_bytes(path: str) -> bytes:
    """The bytes of a file.

    Raises:
        UnreadableError: it is gone, may not be read, is no file, or is far too large for source code.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device would be waited on for ever
            raise UnreadableError("not a file")
        if status.st_size > LARGEST_FILE:
            raise UnreadableError(f"too large for source code: {status.st_size:,} bytes")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UnreadableError((error.strerror or str(error)).lower()) from None


def decode(data: bytes, path: str) -> Content:
    """The text of a file: Python by its declaration (PEP 263) or as UTF-8, everything else as UTF-8.

    Raises:
        UnreadableError: the encoding is unknown, or the bytes are not in it.
    """
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):  # Python cannot run it, but editors on Windows write it
            return Content(_text(data[len(mark) :], name), name, mark)
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    data = data[len(mark) :]
    encoding = "utf-8" if path.lower().endswith((".ipynb", ".md", ".markdown")) else _declared(data)
    return Content(_text(data, encoding), encoding, mark)


def read(path: str) -> Content:
    """The text of a file on disk.

    Raises:
        UnreadableError: it cannot be read or decoded.
    """
    return decode(read_bytes(path), path)


def _declared(data: bytes) -> str:
    """The encoding that one of the first two lines declares, `utf-8` when none does."""
    for number, line in enumerate(_LINE_END.split(data[:1000])[:2], start=1):
        if found := _DECLARATION.match(line):
            name = found[1].decode("ascii", "replace")
            try:
                codec = codecs.lookup(name)
            except (LookupError, ValueError):
                raise UnreadableError(f"unknown encoding: {name}", number) from None
            if not getattr(codec, "_is_text_encoding", True):
                raise UnreadableError(f"not a text encoding: {name}", number)
            return "utf-8" if codec.name == "utf-8-sig" else codec.name
        if not _BLANK.match(line):
            break
    return "utf-8"


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(_LINE_END.split(data[: error.start]))
        raise UnreadableError(f"not valid {encoding}: byte 0x{data[error.start]:02x}", line) from None
    except (ValueError, LookupError) as error:
        raise UnreadableError(f"cannot be decoded as {encoding}: {error}") from None
