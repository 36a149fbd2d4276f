"""Sentences, values and explanations as HTML, in which all that they hold is escaped."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from torchstone.reporting.characters import visible
from torchstone.reporting.page import ours
from torchstone.review.catalogue import find_mistake

_REFERENCE = re.compile(r"^- \[(?P<name>[^\]]*)\]\((?P<address>https?://[^)\s]*)\)$")


@dataclass(frozen=True)
class Explanation:
    """What the catalogue says of a mistake.

    Args:
        code: such as `TS101`.
        name: such as `missing-zero-grad`.
        title: what it is in a sentence.
        sections: heading and paragraphs.
        instead: a program that is right.
        references: name and address of pages to read.
    """

    code: str
    name: str
    title: str
    sections: list[tuple[str, list[str]]]
    instead: str
    references: list[tuple[str, str]]


def explanation(code: str) -> Explanation | None:
    """What the catalogue says of a mistake, None of one that it does not know."""
    mistake = find_mistake(code)
    if mistake is None:
        return None
    fixed = [example.fixed for example in mistake.bad if example.fixed] or list(mistake.good)
    references = mistake.sections.get("References", "").splitlines()
    return Explanation(
        mistake.code,
        mistake.name,
        mistake.title,
        [
            (heading, text.split("\n\n"))
            for heading, text in mistake.sections.items()
            if heading != "References"
        ],
        fixed[0].rstrip() if fixed else "",
        [(found["name"], found["address"]) for line in references if (found := _REFERENCE.match(line))],
    )


def prose(text: str) -> Any:
    """A text from findings as HTML: what stands in backquotes is code."""
    from markupsafe import escape

    parts = visible(text).split("`")
    if len(parts) % 2 == 0:  # one of them is no quotation mark
        return escape(visible(text))
    return ours("").join(
        ours("<code>{}</code>").format(part) if odd else escape(part)
        for odd, part in ((place % 2, part) for place, part in enumerate(parts))
        if part
    )


def shown_value(value: Any) -> str:
    """A value of the evidence as people write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {shown_value(held)}" for name, held in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_item, value)) or "none"
    return json.dumps(value, ensure_ascii=False, default=str)


def _item(value: Any) -> str:
    """A value inside of a list; a list there is most often a shape."""
    if not isinstance(value, list | tuple):
        return shown_value(value)
    return f"({shown_value(value[0])},)" if len(value) == 1 else f"({', '.join(map(_item, value))})"
