"""What all pages have in common: one file that loads nothing, escapes all it is given, and looks alike."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from torchstone.reporting.characters import visible

if TYPE_CHECKING:
    from jinja2 import Environment, Template


@cache
def template(name: str) -> Template:
    """A template from `templates/`, in which every value is escaped."""
    return _environment().from_string(resource(f"{name}.html.jinja"))


@cache
def resource(name: str) -> str:
    """The text of a file in `templates/`."""
    return resources.files("torchstone.reporting").joinpath("templates", name).read_text(encoding="utf-8")


def policy(script: str | None = None) -> str:
    """Forbids a page to load anything, and to run any script but ours, whatever the data holds.

    Args:
        script: ours, as it stands between two ends of lines; None where there is none.
    """
    rules = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script is None:
        return rules
    digest = hashlib.sha256(f"\n{script}\n".encode()).digest()
    return f"{rules}; script-src 'sha256-{base64.b64encode(digest).decode('ascii')}'"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
        finalize=_shown,
    )
    environment.filters["ours"] = ours
    return environment


def _shown(value: Any) -> Any:
    """What is written for a value: names from data lose their control characters, which HTML forbids."""
    from markupsafe import Markup

    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def ours(text: str) -> Any:
    """Marks text that this package made and escaped itself (SVG, style, script) as HTML."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - never called on what comes from data
