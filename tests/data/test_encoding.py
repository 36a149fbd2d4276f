"""Encodings are found from the bytes; what is no text is refused by what it is."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from torchstone.data.encoding import find_encoding, open_text
from torchstone.data.raw_table import TextOptions
from torchstone.data.tables import read_table
from torchstone.errors import DataError

GERMAN = "Name;Größe\nJörg;1,80\nZoë;1,65\n"
PRICES = "what,price\n“tea” – hot,5 €\nœuvre,7 €\n"


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),  # as Excel's "Unicode text" without its mark
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("latin-1", "cp1252"),  # the same for all printable characters
        ("cp1252", "cp1252"),
    ],
)
def test_a_german_table_is_read_in_any_encoding(tmp_path: Path, encoding: str, found: str) -> None:
    path = _file(tmp_path, GERMAN.encode(encoding))
    assert find_encoding(path) == found
    table = read_table(path, TextOptions())
    assert table.frame.columns == ["Name", "Größe"]
    assert table.frame.rows() == [("Jörg", "1,80"), ("Zoë", "1,65")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_characters_that_latin_1_lacks(tmp_path: Path, encoding: str) -> None:
    table = read_table(_file(tmp_path, PRICES.encode(encoding)), TextOptions())
    assert table.frame["what"].to_list() == ["“tea” – hot", "œuvre"]
    assert table.frame["price"].to_list() == ["5 €", "7 €"]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8,"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("cp1252", "Windows-1252"),
        ("utf-16", "UTF-16"),
    ],
)
def test_the_encoding_is_said(tmp_path: Path, encoding: str, said: str) -> None:
    assert said in read_table(_file(tmp_path, GERMAN.encode(encoding)), TextOptions()).notes[0]


def test_a_letter_beyond_ascii_at_the_very_end_of_a_long_file_counts(tmp_path: Path) -> None:
    rows = "name,size\n" + "plain,1\n" * 200_000
    assert find_encoding(_file(tmp_path, rows.encode())) == "utf-8"
    assert find_encoding(_file(tmp_path, (rows + "Jörg,2\n").encode("cp1252"))) == "cp1252"
    assert find_encoding(_file(tmp_path, (rows + "Jörg,2\n").encode())) == "utf-8"


def test_a_letter_across_two_blocks_is_whole(tmp_path: Path) -> None:
    start = b"name\n" + b"x" * ((1 << 20) - 6)
    assert find_encoding(_file(tmp_path, start + "ö\n".encode())) == "utf-8"


def test_a_gzipped_table_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(GERMAN.encode("cp1252")))
    assert find_encoding(path) == "cp1252"
    with open_text(path, "cp1252") as file:
        assert file.read() == GERMAN


def test_line_ends_of_all_kinds_are_one(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        table = read_table(_file(tmp_path, f"a,b{end}1,2{end}3,4{end}".encode()), TextOptions())
        assert table.frame.rows() == [("1", "2"), ("3", "4")]
        assert table.lines.tolist() == [2, 3]


@pytest.mark.parametrize("content", [b"", b"\n\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n  \n"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"table\.csv is empty"):
        find_encoding(_file(tmp_path, content))


def _workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


def _written(write: str) -> bytes:
    file = io.BytesIO()
    getattr(pl.DataFrame({"a": [1, 2]}), write)(file)
    return file.getvalue()


def _picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (_workbook, "Excel"),
        (lambda: _written("write_parquet"), "Parquet"),
        (lambda: _written("write_ipc"), "Arrow"),
        (lambda: _picture("PNG"), "PNG"),
        (lambda: _picture("JPEG"), "JPEG"),
        (lambda: bytes(range(256)) * 4, "not a text table"),
        (lambda: b"a,b\n1,\0\0\0\0\0\n", "not a text table"),
    ],
)
def test_a_binary_file_is_refused_by_what_it_is(tmp_path: Path, make: object, what: str) -> None:
    path = _file(tmp_path, make())  # type: ignore[operator]
    with pytest.raises(DataError, match=what) as caught:
        find_encoding(path)
    assert "table.csv is a binary file" in caught.value.message
    assert caught.value.hint


def test_bytes_that_no_encoding_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not text in UTF-8 nor in cp1252"):
        find_encoding(_file(tmp_path, b"name,size\nJ\x81rg,1\n"))


def test_a_wrong_encoding_that_is_stated_is_said(tmp_path: Path) -> None:
    path = _file(tmp_path, GERMAN.encode("cp1252"))
    with pytest.raises(DataError, match="cannot be read as utf-8") as caught:
        read_table(path, TextOptions(encoding="utf-8"))
    assert "--encoding" in (caught.value.hint or "")
    with pytest.raises(DataError, match='encoding "utf-9" is unknown'):
        read_table(path, TextOptions(encoding="utf-9"))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(
        st.text(st.characters(categories=["L", "N"], max_codepoint=0xFFFF), min_size=1, max_size=6),
        min_size=1,
        max_size=8,
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_any_letters_survive(tmp_path: Path, words: list[str], encoding: str) -> None:
    text = "word\n" + "".join(f"{word}\n" for word in words)
    path = _file(tmp_path, text.encode(encoding))
    with open_text(path, find_encoding(path)) as file:
        assert file.read().lstrip("\ufeff") == text
