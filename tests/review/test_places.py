"""Looking at the variables of a frame leaves no trace in it."""

from __future__ import annotations

import sys
import weakref
from typing import Any

from torchstone.review.places import locals_of


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
