"""SVG as text: a frame with axes that points are placed in. Everything from data is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from torchstone.reporting.characters import on_one_line
from torchstone.reporting.scales import tick_labels, ticks

WIDTH, HEIGHT = 400.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 386.0, 32.0, 44.0


def clean(text: object) -> str:
    """Text for SVG: escaped, without control characters, on one line."""
    return escape(on_one_line(text), {'"': "&quot;"})


def text(x: float, y: float, content: object, kind: str, anchor: str | None = None) -> str:
    """A text element; `anchor` is middle or end."""
    where = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}"{where}>{clean(content)}</text>'


def path(points: Sequence[tuple[float, float]], kind: str) -> str:
    """A line through points."""
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{steps}" class="{kind}"/>'


def dots(points: Sequence[tuple[float, float]], kind: str) -> str:
    """A dot at each point, as one path of lines without length."""
    return f'<path d="{"".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)}" class="{kind}"/>'


def document(content: str, label: str, width: float, height: float, kind: str = "chart") -> str:
    """The whole picture; `label` says in words what it shows."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{clean(label)}" '
        f'style="max-width:{1.5 * width:g}px">{content}</svg>'
    )


@dataclass
class Frame:
    """Two axes.

    Args:
        x, y: the ends of the axes in data units.
        x_name, y_name: what they show.
        height: of the picture.
        x_ticks: where the x axis is marked; default: round numbers.
        y_labels: another way to write the y axis's ticks, such as powers.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_name: str
    height: float = HEIGHT
    x_ticks: Sequence[float] | None = None
    y_ticks: Sequence[tuple[float, str]] | None = None
    parts: list[str] = field(default_factory=list)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A point in data units as a point of the picture."""
        (x0, x1), (y0, y1) = self.x, self.y
        across = (x - x0) / (x1 - x0) if x1 != x0 else 0.5
        up = (y - y0) / (y1 - y0) if y1 != y0 else 0.5
        return LEFT + across * (RIGHT - LEFT), self.floor - up * (self.floor - TOP)

    @property
    def floor(self) -> float:
        """Where the x axis is."""
        return self.height - BOTTOM

    def axes(self) -> str:
        """Rules, ticks and names."""
        parts = []
        y_ticks = self.y_ticks
        if y_ticks is None:
            found = ticks(*self.y)
            y_ticks = list(zip(found, tick_labels(found), strict=True))
        for value, label in y_ticks:
            height = self.place(self.x[0], value)[1]
            parts.append(f'<path d="M{LEFT:g} {height:.1f}H{RIGHT:g}" class="rule"/>')
            parts.append(text(LEFT - 7, round(height + 4, 1), label, "tick", "end"))
        x_ticks = list(self.x_ticks) if self.x_ticks is not None else ticks(*self.x)
        for value, label in zip(x_ticks, tick_labels(x_ticks), strict=True):
            across = self.place(value, self.y[0])[0]
            parts.append(f'<path d="M{across:.1f} {self.floor:g}v4" class="axis"/>')
            parts.append(text(round(across, 1), self.floor + 18, label, "tick", "middle"))
        parts.append(f'<path d="M{LEFT:g} {self.floor:g}H{RIGHT:g}" class="axis"/>')
        parts.append(text(RIGHT, self.height - 8, self.x_name, "name", "end"))
        parts.append(text(2, 20, self.y_name, "name"))
        return "".join(parts)

    def line(self, points: Sequence[tuple[float, float]], kind: str) -> str:
        """A line through points in data units."""
        return path([self.place(x, y) for x, y in points], kind)

    def picture(self, content: str, label: str, below: float = 0.0) -> str:
        """The axes with what is drawn in them; `below` is room for more under them."""
        return document(self.axes() + content, label, WIDTH, self.height + below)


def legend_below(names: Sequence[tuple[str, str]], top: float) -> tuple[str, float]:
    """The names of many lines in two columns under a picture, and how much room they take."""
    parts = []
    for place, (name, kind) in enumerate(names):
        x, y = LEFT + (place % 2) * (RIGHT - LEFT) / 2, top + 14 + 18 * (place // 2)
        shown = name if len(name) <= 20 else f"{name[:19]}…"
        parts.append(f'<path d="M{x:.1f} {y - 4:g}h22" class="{kind}"/>')
        parts.append(text(x + 28, y, shown, "name"))
    return "".join(parts), 18.0 * -(-len(names) // 2) + 4


def legend(names: Sequence[tuple[str, str]]) -> str:
    """The names of lines at the upper right, each with a piece of its line."""
    parts, x = [], RIGHT
    room = RIGHT / 6.6 - 6 * len(names)
    if sum(len(name) for name, _ in names) > room:
        most = max(int(room / len(names)), 4)
        names = [(n if len(n) <= most else f"{n[: most - 1]}…", kind) for n, kind in names]
    for name, kind in reversed(names):
        parts.append(text(x, 12, name, "name", "end"))
        start = x - 6.6 * len(name) - 24
        parts.append(f'<path d="M{start:.1f} 8h22" class="{kind}"/>')
        x = start - 14
    return "".join(parts)
