"""What there is to do for one file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """One file to check: its name, its bytes, and the codes that count in it."""

    path: str
    data: bytes
    codes: frozenset[str]
