"""Charts: pure functions from numbers to SVG text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle

from torchstone.reporting.scales import finite, number, padded
from torchstone.reporting.svg import (
    LEFT,
    RIGHT,
    TOP,
    Frame,
    clean,
    document,
    dots,
    legend,
    legend_below,
    text,
)

TONES = tuple(f"tone{place}" for place in range(1, 9))
"""Colours and dashes of lines; a ninth line looks like the first."""
Values = Sequence[float | None]
_SQUARE = 290.0
_LOG_FROM = 30.0
"""Losses whose largest value is this many times the smallest are drawn on a logarithmic scale."""
_MOST_POWERS = 9
_MOST_ABOVE = 4
"""Lines whose names have room above the picture."""


def lines(
    xs: Sequence[float],
    series: Sequence[tuple[str, Values]],
    *,
    label: str,
    y_name: str,
    x_name: str = "epoch",
    mark: float | None = None,
    log: bool = False,
) -> str:
    """Lines over epochs.

    Args:
        xs: the epochs.
        series: name and values of each line; None and NaN leave a gap out.
        label: what the chart shows, in words.
        y_name: the name of the y axis.
        x_name: the name of the x axis.
        mark: the best epoch.
        log: a logarithmic scale where all values are positive and spread widely.
    """
    known = finite(value for _, values in series for value in values)
    use_log = log and bool(known) and min(known) > 0 and max(known) / min(known) >= _LOG_FROM
    change = math.log10 if use_log else float
    frame = Frame(
        _ends(xs),
        padded(change(value) for value in known),
        x_name,
        f"{y_name} (log scale)" if use_log else y_name,
        x_ticks=_whole(xs),
    )
    if use_log:
        low, high = frame.y
        powers = range(math.ceil(low), math.floor(high) + 1)
        powers = powers[:: -(-len(powers) // _MOST_POWERS)]
        frame.y_ticks = [(float(power), f"{float(f'1e{power}'):g}") for power in powers if power <= 308]
    parts, names = [], []
    for (name, values), tone in zip(series, cycle(TONES), strict=False):
        points = [(x, change(v)) for x, v in zip(xs, values, strict=True) if finite([v]) and v is not None]
        if not points:
            continue
        names.append((name, f"line {tone}"))
        if len(points) == 1:
            parts.append(dots([frame.place(*points[0])], f"dot {tone}"))
        else:
            parts.append(frame.line(points, f"line {tone}"))
    if mark is not None:
        across = frame.place(mark, frame.y[0])[0]
        parts.append(f'<path d="M{across:.1f} {frame.floor:g}V{TOP:g}" class="mark"/>')
        anchor, shift = ("end", -6) if across > (LEFT + RIGHT) / 2 else ("start", 6)
        parts.append(text(round(across + shift, 1), 43, f"best: epoch {mark:g}", "note", anchor))
    parts.append(_hover(frame, xs, series, x_name))
    if len(names) > _MOST_ABOVE:
        below, room = legend_below(names, frame.height)
        return frame.picture("".join([*parts, below]), label, room)
    if len(names) > 1:
        parts.append(legend(names))
    return frame.picture("".join(parts), label)


def curve(
    series: Sequence[tuple[str, Values, Values]],
    *,
    label: str,
    x_name: str,
    y_name: str,
    diagonal: bool = False,
    mark: tuple[float, str] | None = None,
) -> str:
    """Curves between 0 and 1 on both axes, such as ROC.

    Args:
        series: name, x and y of each curve.
        label: what the chart shows, in words.
        x_name: the name of the x axis.
        y_name: the name of the y axis.
        diagonal: with the dotted line of chance.
        mark: a place on the x axis and what it is.
    """
    frame = Frame((0.0, 1.0), (0.0, 1.0), x_name, y_name, height=_SQUARE)
    parts = [frame.line([(0, 0), (1, 1)], "reference")] if diagonal else []
    names = []
    for (name, xs, ys), tone in zip(series, cycle(TONES), strict=False):
        points = [
            (x, y)
            for x, y in zip(xs, ys, strict=True)
            if x is not None and y is not None and len(finite([x, y])) == 2
        ]
        if len(points) > 1:
            names.append((name, f"line {tone}"))
            parts.append(frame.line(points, f"line {tone}"))
    if mark is not None:
        across = frame.place(mark[0], 0)[0]
        parts.append(f'<path d="M{across:.1f} {frame.floor:g}V{TOP:g}" class="mark"/>')
        parts.append(text(round(across + 6, 1), 43, mark[1], "note", "start"))
    if len(names) > 1:
        parts.append(legend(names))
    return frame.picture("".join(parts), label)


def scatter(
    xs: Values,
    ys: Values,
    *,
    label: str,
    x_name: str,
    y_name: str,
    reference: str | None = None,
    sizes: Sequence[float] | None = None,
) -> str:
    """Points.

    Args:
        xs: across.
        ys: up.
        label: what the chart shows, in words.
        x_name: the name of the x axis.
        y_name: the name of the y axis.
        reference: `diagonal` or `zero`: a dotted line where prediction and truth agree.
        sizes: how much each point counts; default: all the same.
    """
    counted = [1.0] * len(xs) if sizes is None else sizes
    known = [(x, y, n) for x, y, n in zip(xs, ys, counted, strict=True) if len(finite([x, y])) == 2]
    points = [(float(x), float(y)) for x, y, _ in known if x is not None and y is not None]
    x_ends, y_ends = padded(x for x, _ in points), padded(y for _, y in points)
    if reference == "diagonal":
        ends = (min(x_ends[0], y_ends[0]), max(x_ends[1], y_ends[1]))
        x_ends = y_ends = ends
    frame = Frame(x_ends, y_ends, x_name, y_name, height=_SQUARE)
    parts = []
    if reference == "diagonal":
        parts.append(frame.line([(x_ends[0], x_ends[0]), (x_ends[1], x_ends[1])], "reference"))
    elif reference == "zero":
        parts.append(frame.line([(x_ends[0], 0.0), (x_ends[1], 0.0)], "reference"))
    placed = [frame.place(x, y) for x, y in points]
    if sizes is None:
        parts.append(dots(placed, "cloud tone1"))
    else:
        most = max(sizes, default=1.0) or 1.0
        for (x, y), (*_, size) in zip(placed, known, strict=True):
            radius = 3 + 9 * math.sqrt(size / most)
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="bubble">'
                f"<title>{size:g} rows</title></circle>"
            )
    return frame.picture("".join(parts), label)


def histogram(edges: Sequence[float], counts: Sequence[float], *, label: str, x_name: str) -> str:
    """Bars over neighbouring ranges."""
    frame = Frame((edges[0], edges[-1]), (0.0, max([*counts, 1]) * 1.05), x_name, "rows", height=_SQUARE)
    parts = []
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        (left, top), (right, floor) = frame.place(low, count), frame.place(high, 0)
        title = f"{number(low)} to {number(high)}: {count:g} rows"
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(right - left - 1, 1):.1f}" '
            f'height="{max(floor - top, 0):.1f}" class="bar"><title>{clean(title)}</title></rect>'
        )
    return frame.picture("".join(parts), label)


def whiskers(rows: Sequence[tuple[str, float, float]], *, label: str, name: str) -> str:
    """Horizontal bars with a deviation: what, value, deviation."""
    width = 600.0
    left = 20 + 6.6 * max((len(row[0]) for row in rows), default=4)
    left = min(left, 220.0)
    low = min([0.0, *(value - spread for _, value, spread in rows)])
    high = max([1e-9, *(value + spread for _, value, spread in rows)])
    scale = (width - 70 - left) / (high - low)
    height = 44.0 + 24 * len(rows)
    parts = []
    for place, (what, value, spread) in enumerate(rows):
        y = 20.0 + 24 * place
        start, end = left + (min(value, 0) - low) * scale, left + (max(value, 0) - low) * scale
        first, last = (left + (edge - low) * scale for edge in (value - spread, value + spread))
        parts.append(text(round(left - 8, 1), y + 4, _short(what), "key", "end"))
        parts.append(
            f'<rect x="{start:.1f}" y="{y - 7:g}" width="{max(end - start, 1):.1f}" height="14" class="bar">'
            f"<title>{clean(what)}: {clean(number(value))}</title></rect>"
        )
        parts.append(f'<path d="M{first:.1f} {y:g}H{last:.1f}" class="whisker"/>')
        parts.append(text(round(max(last, end) + 7, 1), y + 4, number(value), "tick"))
    parts.append(text(width - 6, height - 8, name, "name", "end"))
    return document("".join(parts), label, width, height)


def strip(value: float, low: float, high: float, ends: tuple[float, float]) -> str:
    """A value with its interval on a scale that all rows of a table share."""
    span = (ends[1] - ends[0]) or 1.0

    def across(at: float) -> float:
        return 6 + 148 * min(max((at - ends[0]) / span, 0.0), 1.0)

    content = (
        '<path d="M6 10H154" class="strip"/>'
        f'<path d="M{across(low):.1f} 10H{across(high):.1f}" class="interval"/>'
        f'<path d="M{across(value):.1f} 10.0h0" class="dot tone1"/>'
    )
    scale = f"on a scale from {ends[0]:g} to {ends[1]:g}"
    label = f"{number(value)} between {number(low)} and {number(high)}, {scale}"
    return document(content, label, 160, 20, "strip-chart")


def matrix(names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A confusion matrix: a row for each true class, darker for more of the row."""
    cell = 74.0 if len(names) <= 4 else 46.0 if len(names) <= 10 else 26.0
    left = 24 + 6.6 * min(max((len(name) for name in names), default=1), 14)
    width, height = left + cell * len(names) + 12, 48 + cell * len(names) + 8
    right = sum(counts[i][i] for i in range(len(names)))
    total = sum(map(sum, counts))
    parts = [
        text(round(left + 8, 1), 13, "predicted", "name"),
        text(round(left - 2, 1), 40, "true", "name", "end"),
    ]
    for row, name in enumerate(names):
        of_row = sum(counts[row]) or 1
        y = 48 + cell * row
        parts.append(text(round(left, 1), y + cell / 2 + 4, _short(name, 14), "key", "end"))
        for at in range(len(names)):
            x, count = left + 6 + cell * at, counts[row][at]
            share = count / of_row
            kind = "hit" if row == at else "miss"
            title = f"true {name}, predicted {names[at]}: {count} rows ({share:.0%})"
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell - 2:g}" height="{cell - 2:g}" '
                f'class="{kind}" style="--shade:{share:.2f}">'
                f"<title>{clean(title)}</title></rect>"
            )
            if cell > 26 and count:
                ink = "ink light" if share > 0.55 else "ink"
                middle = x + cell / 2 - 1
                parts.append(text(round(middle, 1), round(y + cell / 2, 1), f"{count:,}", ink, "middle"))
                if cell > 50:
                    percent = f"{share:.0%}".replace("%", " %")
                    below = round(y + cell / 2 + 16, 1)
                    parts.append(text(round(middle, 1), below, percent, f"{ink} small", "middle"))
    if cell > 26:
        parts += [
            text(round(left + 5 + cell * (at + 0.5), 1), 40, _short(name, int(cell // 7)), "key", "middle")
            for at, name in enumerate(names)
        ]
    label = f"Confusion matrix of {len(names)} classes: {right:,} of {total:,} rows on the diagonal"
    return document("".join(parts), label, width, height, "chart matrix")


def _short(name: str, most: int = 30) -> str:
    return name if len(name) <= most else f"{name[: max(most - 1, 1)]}…"


def _ends(xs: Sequence[float]) -> tuple[float, float]:
    if not xs:
        return 0.0, 1.0
    return (xs[0], xs[-1]) if xs[-1] > xs[0] else (xs[0] - 0.5, xs[0] + 0.5)


def _whole(xs: Sequence[float], count: int = 6) -> list[float]:
    """Whole numbers of epochs to mark."""
    if len(xs) <= count:
        return list(xs)
    from torchstone.reporting.scales import ticks

    return [value for value in ticks(xs[0], xs[-1], count - 1) if float(value).is_integer()]


def _hover(frame: Frame, xs: Sequence[float], series: Sequence[tuple[str, Values]], x_name: str) -> str:
    """An invisible column over each epoch that tells its values."""
    if len(xs) < 2:
        return ""
    places = [frame.place(x, frame.y[0])[0] for x in xs]
    parts = ['<g class="hover">']
    for at, x in enumerate(xs):
        left = places[0] if at == 0 else (places[at - 1] + places[at]) / 2
        right = places[-1] if at == len(xs) - 1 else (places[at] + places[at + 1]) / 2
        told = ", ".join(f"{name} {number(values[at], 4)}" for name, values in series)
        parts.append(
            f'<rect x="{left:.1f}" y="{TOP:g}" width="{right - left:.1f}" height="{frame.floor - TOP:g}">'
            f"<title>{clean(f'{x_name} {x:g}: {told}')}</title></rect>"
        )
    return "".join([*parts, "</g>"])
