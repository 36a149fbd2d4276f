"""Names from data as text that a terminal, a page and a reader can bear."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters but tab and newline, line and paragraph ends, what turns the direction of the text
around, and what no file can hold."""


def visible(value: object) -> str:
    """A text without control characters but tab and newline: a replacement character stands for each."""
    return _UNSEEN.sub("\ufffd", str(value))


def on_one_line(value: object) -> str:
    """The same with spaces for tabs and `↵` for ends of lines, for a name in a table or a sentence."""
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    return visible(text).replace("\t", " ").replace("\n", "↵")
