"""Which steps are looked at in full, and who is told of what."""

from __future__ import annotations

import itertools
from typing import Any

from torchstone.review.detector import sampled
from torchstone.review.stream import Event, Stream


def stream() -> Stream:
    def failed(owner: Any, error: Exception) -> None:
        raise error

    return Stream(failed)


def sampled_steps(steps: int) -> list[int]:
    watched, found = stream(), []
    for step in range(steps):
        if watched.sampled:
            found.append(step)
        watched.advance()
    return found


def test_the_first_steps_are_looked_at_in_full_and_later_ones_ever_fewer() -> None:
    steps = sampled_steps(20_000)
    assert steps[:10] == list(range(10))
    assert len([step for step in steps if step < 1000]) < 60
    assert len(steps) < 400
    gaps = [later - earlier for earlier, later in itertools.pairwise(steps)]
    assert max(gaps) < 150


def test_optimizers_that_take_turns_are_all_looked_at() -> None:
    for optimizers in (2, 3, 4):
        later = [step % optimizers for step in sampled_steps(3000) if step >= 100]
        assert all(later.count(turn) > len(later) / optimizers / 2 for turn in range(optimizers))


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_backward(self, event: Event) -> None:
        self.told.append("backward")

    @sampled
    def on_forward(self, event: Event) -> None:
        self.told.append("forward")

    def on_end(self, event: Event) -> None:
        self.told.append("end")


def test_a_method_that_is_marked_is_called_in_sampled_steps_only() -> None:
    watched, owner = stream(), Told()
    watched.subscribe(owner)
    for is_sampled in (True, False):
        watched.look(is_sampled)
        watched.emit("forward")
        watched.emit("backward")
    assert owner.told == ["forward", "backward", "backward"]


def test_who_waits_for_an_event_is_told_of_nothing_before_but_of_the_end() -> None:
    class Waiting(Told):
        AFTER = ("wrapped", "joined")

    watched, owner = stream(), Waiting()
    watched.subscribe(owner)
    watched.emit("backward")
    watched.emit("end")
    assert owner.told == ["end"]
    watched.emit("joined")
    watched.emit("backward")
    watched.emit("wrapped")
    watched.emit("backward")
    watched.emit("end")
    assert owner.told == ["end", "backward", "backward", "end"]


def test_who_is_dropped_is_told_nothing_more() -> None:
    watched, owner = stream(), Told()
    watched.subscribe(owner)
    watched.drop(owner, "backward")
    watched.emit("backward")
    watched.emit("forward")
    assert owner.told == ["forward"]
    watched.drop(owner)
    watched.emit("forward")
    assert owner.told == ["forward"]


def test_without_steps_few_calls_are_looked_at_in_full() -> None:
    watched, found = stream(), []
    for call in range(2000):
        watched.called(None, False)
        if watched.sampled:
            found.append(call)
    assert found[:60] == list(range(60))
    assert 20 < len(found) - 64 < 40
    watched.blind = True
    watched.look(False)
    watched.called(None, False)
    watched.advance()
    assert not watched.sampled
