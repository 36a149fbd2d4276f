"""Charts: whatever the numbers and names are, the picture is valid XML with finite coordinates inside it."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchstone.reporting import charts

HOSTILE = "<b>&\"'`\x00\x1b[31m\u202e🙂</svg><script>alert(1)</script>"
LONG = "n" * 300
SIZES = st.one_of(st.none(), st.just(math.nan), st.just(math.inf), st.floats(-1e300, 1e300))


def _picture(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        for key in ("d", "x", "y", "cx", "cy", "r", "width", "height", "viewBox"):
            value = element.get(key, "")
            assert not re.search("nan|inf", value), (element.tag, key, value)
    for box in root.iter("rect"):
        assert float(box.get("width", 0)) >= 0
        assert float(box.get("height", 0)) >= 0
    return root


def _drawn(svg: str, kind: str = "line tone1") -> list[tuple[float, float]]:
    """The points of the first line of a kind."""
    paths = [p.get("d", "") for p in _picture(svg).iter("path") if p.get("class") == kind]
    return [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+) ([-\d.]+)", paths[0])] if paths else []


def _texts(svg: str) -> list[str]:
    return [element.text or "" for element in _picture(svg).iter("text")]


def _lines(values: list[float | None], *, log: bool = False) -> str:
    xs = [float(x) for x in range(1, len(values) + 1)]
    return charts.lines(xs, [("loss", values)], label="loss", y_name="loss", log=log)


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 1.0, 1.0],
        [0.0, 0.0],
        [-3.0, -3.0, -3.0],
        [1e-30, 2e-30, 3e-30],
        [1e30, 2e30, 5e29],
        [1e-300, 1e300],
        [1e38, 1e-38, 1.0],
        [5e-324, 0.0],
        [1.0, math.nan, 0.5],
        [1.0, None, 0.5],
        [1.0, math.inf, 0.5],
    ],
)
@pytest.mark.parametrize("log", [False, True])
def test_lines_of_any_size_are_drawn_inside_the_picture(values: list[float | None], log: bool) -> None:
    points = _drawn(_lines(values, log=log))
    known = [v for v in values if v is not None and math.isfinite(v)]
    assert len(points) == len(known)
    assert all(0 <= x <= 400 and 0 <= y <= 250 for x, y in points)


@settings(deadline=None)
@given(st.lists(SIZES, max_size=20), st.booleans())
def test_lines_of_any_numbers_are_a_picture(values: list[float | None], log: bool) -> None:
    _picture(_lines(values, log=log))


@pytest.mark.parametrize("values", [[], [None], [math.nan], [math.nan, None, math.nan]])
def test_lines_without_a_number_are_empty_axes(values: list[float | None]) -> None:
    assert _drawn(_lines(values)) == []
    assert "epoch" in _texts(_lines(values))


def test_one_value_is_a_dot() -> None:
    svg = _lines([0.5])
    assert _drawn(svg) == []
    assert len(_drawn(svg, "dot tone1")) == 1


def test_a_falling_loss_goes_down_and_to_the_right() -> None:
    points = _drawn(_lines([4.0, 3.0, 1.0]))
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted(y for _, y in points)
    assert (points[2][1] - points[1][1]) == pytest.approx(2 * (points[1][1] - points[0][1]), abs=0.2)


def test_widely_spread_losses_are_on_a_log_scale_and_it_is_said() -> None:
    svg = _lines([100.0, 10.0, 1.0], log=True)
    points = _drawn(svg)
    assert "loss (log scale)" in _texts(svg)
    assert {"1", "10", "100"} <= set(_texts(svg))
    assert points[1][1] - points[0][1] == pytest.approx(points[2][1] - points[1][1], abs=0.2)
    assert "loss (log scale)" not in _texts(_lines([100.0, 0.0], log=True))


def test_the_marks_of_a_log_scale_can_be_told_apart() -> None:
    svg = _lines([1e30, 1e-8], log=True)
    heights = sorted(
        float(t.get("y", 0))
        for t in _picture(svg).iter("text")
        if t.get("text-anchor") == "end" and t.get("class") == "tick"
    )
    assert len(heights) >= 2
    assert min(b - a for a, b in pairwise(heights)) >= 9


def test_the_best_epoch_is_marked_where_it_is() -> None:
    svg = charts.lines([1, 2, 3, 4], [("loss", [4, 2, 1, 3])], label="", y_name="loss", mark=3)
    assert "best: epoch 3" in _texts(svg)
    assert _drawn(svg, "mark")[0][0] == _drawn(svg)[2][0]


def test_each_epoch_tells_its_values() -> None:
    svg = charts.lines([1, 2], [("a", [0.5, None]), ("b", [2.0, 1.25])], label="", y_name="loss")
    titles = [title.text for title in _picture(svg).iter("title")]
    assert titles == ["epoch 1: a 0.5000, b 2", "epoch 2: a –, b 1.250"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8])
def test_every_series_is_drawn_and_named(count: int) -> None:
    series = [(f"loss{place}", [1.0 + place, 2.0 + place]) for place in range(count)]
    svg = charts.lines([1, 2], series, label="", y_name="loss")
    drawn = [p for p in _picture(svg).iter("path") if re.fullmatch(r"line tone\d", p.get("class", ""))]
    lines = {p.get("class") for p in drawn}
    assert len(lines) == count
    assert count == 1 or all(name in _texts(svg) for name, _ in series)


def test_the_names_of_many_lines_stand_inside_the_picture_and_apart() -> None:
    series = [(f"discriminator_loss_{place}", [1.0 + place, 2.0]) for place in range(9)]
    svg = charts.lines([1, 2], series, label="", y_name="loss")
    root = _picture(svg)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    named = [t for t in root.iter("text") if (t.text or "").startswith("discriminator_loss")]
    places = {(float(t.get("x", 0)), float(t.get("y", 0))) for t in named}
    assert len(places) == 9
    assert all(0 <= x <= width - 6.6 * 20 and 250 <= y <= height for x, y in places)


@pytest.mark.parametrize("name", [HOSTILE, LONG, "", "\n\t", "\ud800"])
def test_names_are_text_in_every_chart(name: str) -> None:
    share = [0.0, 0.5, 1.0]
    pictures = [
        charts.lines([1, 2], [(name, [1, 2]), ("b", [2, 1])], label=name, y_name=name, x_name=name),
        charts.curve([(name, share, share), ("b", share, share)], label=name, x_name=name, y_name=name),
        charts.curve([("a", share, share)], label="", x_name="", y_name="", mark=(0.5, name)),
        charts.scatter([0, 1], [1, 2], label=name, x_name=name, y_name=name, reference="diagonal"),
        charts.histogram([0, 1, 2], [3, 4], label=name, x_name=name),
        charts.whiskers([(name, 0.5, 0.1)], label=name, name=name),
        charts.matrix([name, "b"], [[1, 2], [3, 4]]),
    ]
    for svg in pictures:
        root = _picture(svg)
        assert {element.tag for element in root.iter()} <= {"svg", "path", "text", "g", "rect", "title"}
        assert "\x1b" not in svg
        assert "\x00" not in svg
        svg.encode("utf-8")


def test_a_long_name_leaves_the_other_names_of_a_legend_in_the_picture() -> None:
    share = [0.0, 0.5, 1.0]
    svg = charts.curve([("a", share, share), (LONG, share, share)], label="", x_name="x", y_name="y")
    places = {t.text: float(t.get("x", 0)) for t in _picture(svg).iter("text")}
    assert places["a"] > 0


@settings(deadline=None)
@given(st.lists(st.tuples(SIZES, SIZES), max_size=10), st.sampled_from([None, "diagonal", "zero"]))
def test_points_of_any_numbers_are_a_picture(
    points: list[tuple[float | None, float | None]], reference: str | None
) -> None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    _picture(charts.scatter(xs, ys, label="", x_name="x", y_name="y", reference=reference))


def test_bubbles_grow_with_their_rows() -> None:
    svg = charts.scatter([0.1, 0.9], [0.2, 0.8], label="", x_name="", y_name="", sizes=[1, 100])
    small, large = (float(circle.get("r", 0)) for circle in _picture(svg).iter("circle"))
    assert large > 2 * small


@pytest.mark.parametrize("counts", [[0, 0], [5, 0], [10**9, 1]])
def test_a_histogram_has_a_bar_for_each_range(counts: list[int]) -> None:
    bars = list(_picture(charts.histogram([-1.0, 0.0, 1.0], counts, label="", x_name="")).iter("rect"))
    assert len(bars) == 2


def test_a_histogram_of_one_value_is_a_picture() -> None:
    _picture(charts.histogram([1.0, 1.0], [7], label="", x_name="x"))


@pytest.mark.parametrize("classes", [2, 4, 5, 10, 11, 30])
def test_a_confusion_matrix_tells_every_count(classes: int) -> None:
    names = [f"class{place}" for place in range(classes)]
    counts = [[row * classes + at for at in range(classes)] for row in range(classes)]
    svg = charts.matrix(names, counts)
    titles = [title.text or "" for title in _picture(svg).iter("title")]
    assert len(titles) == classes**2
    for row in range(classes):
        for at in range(classes):
            told = titles[row * classes + at]
            assert told.startswith(f"true class{row}, predicted class{at}: {counts[row][at]} rows")
    hits = [box for box in _picture(svg).iter("rect") if box.get("class") == "hit"]
    assert len(hits) == classes


def test_a_class_that_never_occurs_has_an_empty_row() -> None:
    assert "0 rows (0%)" in charts.matrix(["a", "b"], [[0, 0], [1, 2]])


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=5), st.floats(-1e9, 1e9), st.floats(0, 1e9)), max_size=6))
def test_whiskers_of_any_numbers_are_a_picture(rows: list[tuple[str, float, float]]) -> None:
    _picture(charts.whiskers(rows, label="", name="loss"))


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_strip_stays_on_its_scale(value: float, low: float, high: float) -> None:
    svg = charts.strip(value, low, high, (0.4, 1.0))
    assert all(0 <= x <= 160 for x, _ in _drawn(svg, "dot tone1"))
