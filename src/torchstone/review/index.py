"""What is known of all mistakes without importing their files: most files are about few of them."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import cast

from torchstone.finding import Severity
from torchstone.review.selection import UNUSED_IGNORE, Entry

_ONLY_RUN = "\nONLY_RUN = True\n"
_HEAD = re.compile(r'^(CODE|NAME|SEVERITY)(?:: \w+)? = "([\w-]+)"', re.MULTILINE)
_WORDS = re.compile(r"^(MENTIONS|INVOLVES) = \((.*?)\)$", re.MULTILINE | re.DOTALL)
_HEAD_LENGTH = 5_000
"""Bytes of a mistake's file within which its head ends; more would cost each start."""
_STRING = re.compile(r'"([^"]*)"')
_FOLDER = os.path.join(os.path.dirname(__file__), "mistakes")


@cache
def entries() -> tuple[Entry, ...]:
    """What can be selected: each mistake of the catalogue, and comments without use; sorted by code."""
    found = [UNUSED_IGNORE]
    for family in os.scandir(_FOLDER):
        if family.is_dir() and not family.name.startswith("_"):
            names = [name for name in os.listdir(family.path) if name.endswith(".py") and name[0] != "_"]
            package = f"{__package__}.mistakes.{family.name}"
            found += [_entry(os.path.join(family.path, name), f"{package}.{name[:-3]}") for name in names]
    return tuple(sorted(found, key=lambda entry: entry.code))


def _entry(path: str, module: str) -> Entry:
    with open(path, "rb", buffering=0) as file:
        data = file.read(_HEAD_LENGTH)
    first = data.find(b"\nCODE = ") + 1  # what is before it is text, what follows BAD are examples
    text = data[first : data.find(b"\nBAD", first) + 1].decode()
    head = dict(_HEAD.findall(text))
    words = {name: tuple(_STRING.findall(listed)) for name, listed in _WORDS.findall(text)}
    return Entry(
        head["CODE"],
        head["NAME"],
        cast(Severity, head["SEVERITY"]),
        module,
        words.get("MENTIONS", ()),
        words.get("INVOLVES", ()),
        is_read=_ONLY_RUN not in text,
    )


@cache
def fingerprint() -> str:
    """Changes when a file of the reviewer does, so that results of other rules are not taken for these."""
    import hashlib

    digest = hashlib.sha256()
    folders = [os.path.dirname(__file__)]
    while folders:
        for entry in sorted(os.scandir(folders.pop()), key=lambda entry: entry.name):
            if entry.is_dir():
                if entry.name != "__pycache__":
                    folders.append(entry.path)
            elif entry.name.endswith(".py"):
                status = entry.stat()
                digest.update(f"{entry.path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
