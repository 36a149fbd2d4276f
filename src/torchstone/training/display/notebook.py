"""One bar in a notebook that stays one bar: the same output is replaced, no widgets are needed."""

from __future__ import annotations

import html
import sys
from typing import Any

from torchstone.training.display.status import Status, label, number, rate, sparkline


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel; imports nothing."""
    shell = sys.modules.get("IPython")
    session = shell.get_ipython() if shell is not None else None
    return session is not None and hasattr(session, "kernel")


class Notebook:
    """Shows HTML where the front end can, else text."""

    pace = 0.25
    """Least seconds between two updates; each travels to the browser."""

    def __init__(self) -> None:
        self._handle: Any = None

    def start(self, status: Status) -> None:
        """Makes the output."""
        from IPython.display import display

        self._handle = display(_Bar(status), display_id=True)  # type: ignore[no-untyped-call]

    def draw(self, status: Status) -> None:
        """Replaces it."""
        self._handle.update(_Bar(status))

    def epoch(self, status: Status) -> None:
        """A finished epoch is drawn with the next step."""

    def end(self, status: Status, summary: str) -> None:
        """Leaves the bar with the summary."""
        self._handle.update(_Bar(status, summary))


class _Bar:
    """One drawing, as HTML and as text."""

    def __init__(self, status: Status, summary: str | None = None) -> None:
        self.status = status
        self.summary = summary

    def __repr__(self) -> str:
        return self.summary or "  ".join(self._words())

    def _repr_html_(self) -> str:
        percent = f"{self.status.fraction:.1%}"
        words = self.summary or "   ".join(self._words())
        values = sparkline(self.status.monitored)
        spark = f'<span style="opacity:.7;letter-spacing:-1px">{values}</span>' if values else ""
        return (
            '<div style="font-family:ui-monospace,monospace;font-size:13px;line-height:1.6;max-width:720px">'
            '<div style="height:4px;border-radius:2px;background:rgba(128,128,128,.25);margin:6px 0">'
            f'<div style="height:4px;border-radius:2px;width:{percent};background:#0e9aa7"></div></div>'
            f'<span style="white-space:pre-wrap">{html.escape(words)}</span> {spark}</div>'
        )

    def _words(self) -> list[str]:
        status = self.status
        words = [f"epoch {status.epoch}/{status.epochs}"]
        if status.loss is not None:
            words.append(f"train loss {number(status.loss)}")
        words += [f"{label(key)} {number(value)}" for key, value in list(status.latest.items())[:2]]
        if status.samples_per_second:
            words.append(rate(status.samples_per_second))
        return [*words, status.remaining] if status.remaining else words
