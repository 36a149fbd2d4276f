"""The catalogue of mistakes, found by walking `mistakes/`: a new file there is a new mistake."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from torchstone.review.mistake import Mistake, read_mistake

_FOLDER = Path(__file__).parent / "mistakes"


@cache
def load_catalogue() -> tuple[Mistake, ...]:
    """All mistakes, sorted by code."""
    names = sorted(
        f"{__package__}.mistakes.{path.parent.name}.{path.stem}"
        for path in _FOLDER.glob("*/*.py")
        if not path.stem.startswith("_")
    )
    mistakes = (read_mistake(importlib.import_module(name)) for name in names)
    return tuple(sorted(mistakes, key=lambda mistake: mistake.code))


def find_mistake(code_or_name: str) -> Mistake | None:
    """The mistake with this code or name, None when there is none."""
    wanted = code_or_name.strip().lower().replace("_", "-")
    return next((m for m in load_catalogue() if wanted in (m.code.lower(), m.name)), None)
