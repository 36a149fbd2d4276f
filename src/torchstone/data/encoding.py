"""Which encoding a text file is written in, and whether it is text at all."""

from __future__ import annotations

import codecs
import gzip
import io
from pathlib import Path
from typing import BinaryIO, cast

from torchstone.errors import DataError

_BLOCK = 1 << 20

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_BINARY_STARTS = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "an SQLite database"),
)


def open_bytes(path: Path) -> BinaryIO:
    """The file opened for reading bytes; a gzipped one is unpacked on the way."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    """The file opened for reading text; line ends of every kind become a newline."""
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, newline=None)


def find_encoding(path: Path) -> str:
    """The encoding of a text file: that of its byte order mark, UTF-8, UTF-16, or Windows-1252.

    Raises:
        DataError: the file is empty, or it is a binary file.
    """
    with open_bytes(path) as file:
        start = file.read(_BLOCK)
    if not start.strip(b"\r\n\t \xef\xbb\xbf"):
        raise DataError(f"{path} is empty.", hint="Give a file with a header line and rows.")
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return _held(path, encoding)
    wide = _utf16_without_mark(start)
    if wide is not None:
        return _held(path, wide)
    _refuse_binary(path, start)
    return "utf-8" if _decodes(path, "utf-8") else _held(path, "cp1252")


def _utf16_without_mark(start: bytes) -> str | None:
    head = start[:4096]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half, other = head[offset::2], head[1 - offset :: 2]
        if len(half) > 8 and half.count(0) > 0.9 * len(half) and other.count(0) == 0:
            return encoding
    return None


def _refuse_binary(path: Path, start: bytes) -> None:
    hint = "give a text file (CSV, TSV), Parquet or Arrow; a workbook is saved as CSV first"
    for mark, name in _BINARY_STARTS:
        if start.startswith(mark):
            raise DataError(f"{path} is a binary file ({name}), not a text table", hint=hint)
    control = sum(start.count(byte) for byte in range(32) if byte not in (9, 10, 12, 13, 26, 27))
    if b"\0" in start or control > 0.02 * len(start):
        raise DataError(f"{path} is a binary file, not a text table", hint=hint)


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_bytes(path) as file:
        try:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _held(path: Path, encoding: str) -> str:
    if not _decodes(path, encoding):
        raise DataError(
            f"{path} is a binary file or damaged: it is not text in UTF-8 nor in {encoding}",
            hint="save it as UTF-8",
        )
    return encoding
