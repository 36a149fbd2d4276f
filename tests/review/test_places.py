"""Looking at the variables of a frame leaves no trace in it; where in a line something stands is known."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path
from typing import Any

from torchstone.review.places import Place, Spot, extent_of, locals_of, spot_of


class Held:
    """Can be referred to weakly."""


def test_variables_are_copied() -> None:
    inside = 1

    def function() -> dict[str, Any]:
        other = inside + 1
        assert other
        return locals_of(sys._getframe())

    assert function() == {"other": 2, "inside": 1}


def test_what_the_program_has_of_its_variables_stays_as_it_was() -> None:
    first = 1
    had = locals()
    second = first + 1
    found = [locals_of(sys._getframe())["second"], locals_of(sys._getframe())["second"]]
    assert found == [second, second]
    assert had == {"first": 1}


def test_nothing_is_kept_alive() -> None:
    value: Held | None = Held()
    reference = weakref.ref(value)
    assert locals_of(sys._getframe())["value"] is value
    value = None
    assert reference() is None


def test_a_class_body_and_a_module_keep_their_variables() -> None:
    class Body:
        value = 3
        seen = locals_of(sys._getframe())["value"]

    assert (Body.value, Body.seen) == (3, 3)
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    names = set(frame.f_globals)
    assert set(locals_of(frame)) == names == set(frame.f_globals)


def spots(text: str, path: Path) -> list[Spot]:
    """Where the calls of `here` in a program are."""
    path.write_text(text)
    seen: list[Spot] = []
    exec(compile(text, str(path), "exec"), {"here": lambda *_: seen.append(spot_of(sys._getframe(1)))})
    return seen


def test_an_instruction_has_its_columns(tmp_path: Path) -> None:
    text = "x = 1; here(x)\nif x:\n    ä = 'öö'; here(\n        x, here(2)\n    )\n"
    first, inner, outer = spots(text, tmp_path / "a.py")
    assert extent_of(first) == (8, 1, 15)
    assert extent_of(inner) == (12, 4, 19)
    assert extent_of(outer) == (15, 5, 6)


def test_a_line_begins_where_its_text_does(tmp_path: Path) -> None:
    (spot,) = spots("def f():\n    here()\nf()\n", tmp_path / "a.py")
    assert extent_of(Place(spot.file, 2)) == (5, None, None)
    assert extent_of(Place(spot.file, 9)) == extent_of(Place("nowhere.py", 2)) == (1, None, None)
    assert extent_of(Spot(spot.file, 1, spot.code, spot.instruction)).column == 1  # of another line


def test_where_in_a_line_tells_no_places_apart(tmp_path: Path) -> None:
    first, second = spots("here(); here()\n", tmp_path / "a.py")
    assert first == second == Place(first.file, 1)
    assert {first, second, Place(first.file, 1)} == {second}
    assert extent_of(first).column != extent_of(second).column
