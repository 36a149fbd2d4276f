"""What processes that train together tell each other through a folder."""

from __future__ import annotations

import sys
from pathlib import Path

from torchstone.review.ranks import Ranks, heard, standings
from torchstone.review.stream import Event


def ranks(folder: Path, world: int = 2) -> list[Ranks]:
    made = [Ranks(folder) for _ in range(world)]
    for rank, one in enumerate(made):
        values = {"rank": rank, "world": world, "seed": lambda: 0}
        one.on_joined(Event("joined", None, values, sys._getframe()))
    return made


def test_a_process_alone_says_all_and_hears_nothing() -> None:
    alone = Ranks()
    assert alone.claim("TS101")
    assert alone.claim("TS101")
    alone.tell("facts", 1)
    alone.meet("barrier", None)
    alone.end(failed=False)
    assert alone.heard("facts") == {}
    assert alone.standings() == {}
    assert alone.last


def test_the_first_says_it_and_a_second_time_is_another_thing(tmp_path: Path) -> None:
    first, second = ranks(tmp_path)
    assert first.claim("TS101 train.py:3")
    assert not second.claim("TS101 train.py:3")
    assert second.claim("TS101 train.py:4")
    assert second.claim("TS101 train.py:3")
    assert not first.claim("TS101 train.py:3")


def test_what_is_told_is_heard_by_rank(tmp_path: Path) -> None:
    first, second = ranks(tmp_path)
    first.tell("facts", {"a": 1})
    assert second.heard("facts") == {0: {"a": 1}}
    second.tell("facts", [2])
    assert heard(tmp_path, "facts") == {0: {"a": 1}, 1: [2]}
    (tmp_path / "facts-2.json").write_text("{")  # being written
    assert set(first.heard("facts")) == {0, 1}


def test_the_last_meetings_of_each_rank_can_be_looked_up(tmp_path: Path) -> None:
    first, second = ranks(tmp_path)
    for number in range(100):
        first.meet("all_reduce" if number < 99 else "barrier", sys._getframe())
        if number < 99:
            first.part()
    second.meet("all_reduce", sys._getframe())
    second.part()
    found = standings(tmp_path)
    assert (found[0].begun, found[0].inside) == (100, True)
    assert (found[1].begun, found[1].inside) == (1, False)
    assert sorted(found[0].meetings) == list(range(69, 101))
    assert found[0].meetings[100].name == "barrier"
    assert found[0].meetings[100].lines[-1][0] == __file__


def test_the_last_to_end_knows_it(tmp_path: Path) -> None:
    first, second = ranks(tmp_path)
    first.end(failed=True)
    second.end(failed=False)
    assert (first.last, second.last) == (False, True)
    assert heard(tmp_path, "ended") == {0: True, 1: False}
