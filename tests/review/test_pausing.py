"""Pauses in a loop that does the same at each step: what is left out, what ends them, what is still seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from torchstone.review.pausing import STEADY
from torchstone.review.stream import Event
from torchstone.review.watcher import Watcher

torch: Any = pytest.importorskip("torch")
Module: Any = torch.nn.Module

STEPS = 1500


class Told:
    """Keeps what it is told of each step, and may be paused."""

    PAUSES = STEADY

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, event: Event) -> None:
        self.told.append(event.kind)

    on_cleared = on_forward_began = on_backward = on_step_ended = note


@contextmanager
def watching(*, codes: frozenset[str] | None = frozenset()) -> Iterator[tuple[Watcher, Told]]:
    watcher, told = Watcher(codes=codes), Told()
    watcher.start()
    watcher.stream.subscribe(told)
    try:
        yield watcher, told
    finally:
        watcher.stop()
    assert not watcher.failures


class Training:
    """A small model and its optimizer."""

    def __init__(self) -> None:
        self.model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(0.1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)
        self.batch = torch.randn(8, 4)

    def forward(self) -> Any:
        return self.model(self.batch).square().mean()

    def clear_first(self) -> None:
        self.optimizer.zero_grad()
        self.forward().backward()
        self.optimizer.step()

    def clear_last(self) -> None:
        self.forward().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def clear_between(self) -> None:
        loss = self.forward()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def accumulate(self) -> None:
        self.optimizer.zero_grad()
        for _ in range(2):
            (self.forward() / 2).backward()
        self.optimizer.step()

    def closure(self) -> None:
        def compute() -> Any:
            self.optimizer.zero_grad()
            loss = self.forward()
            loss.backward()
            return loss

        self.optimizer.step(compute)


LOOPS = [
    (Training.clear_first, ["cleared", "forward_began", "backward", "step_ended"]),
    (Training.clear_last, ["forward_began", "backward", "step_ended", "cleared"]),
    (Training.clear_between, ["forward_began", "cleared", "backward", "step_ended"]),
    (Training.accumulate, ["cleared", *["forward_began", "backward"] * 2, "step_ended"]),
    (Training.closure, ["cleared", "forward_began", "backward", "step_ended"]),
]


@pytest.mark.parametrize(("step", "round_"), LOOPS, ids=[step.__name__ for step, _ in LOOPS])
def test_what_is_left_out_are_whole_rounds(step: Callable[[Training], None], round_: list[str]) -> None:
    training = Training()
    with watching() as (watcher, told):
        for _ in range(STEPS):
            step(training)
        steps = watcher.gradients.of(training.optimizer).steps
        if watcher.stream.paused:
            steps += watcher.stream.step - watcher.stream.pausing._since  # type: ignore[union-attr]
    rounds, rest = divmod(len(told.told), len(round_))
    assert told.told == round_ * rounds + round_[:rest]
    assert 256 < rounds < STEPS / 2
    assert abs(steps - STEPS) <= 1


def settled(training: Training, watcher: Watcher) -> None:
    """Trains until there is a pause."""
    for _ in range(STEPS):
        training.clear_first()
        if watcher.stream.paused and watcher.stream.step > 300:
            return
    raise AssertionError("no pause")


def evaluate(training: Training) -> None:
    with torch.no_grad():
        training.forward()


UNUSUAL: dict[str, Callable[[Training], object]] = {
    "a mode": lambda training: training.model.eval(),
    "a call without gradients": evaluate,
    "another model": lambda training: torch.nn.Linear(4, 1)(training.batch),
    "a new optimizer": lambda training: torch.optim.SGD(training.model.parameters(), lr=0.1),
    "a pass over a loader": lambda training: next(iter(torch.utils.data.DataLoader([1, 2]))),
    "weights that are loaded": lambda training: training.model.load_state_dict(training.model.state_dict()),
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_anything_else_ends_a_pause(what: str) -> None:
    training = Training()
    with watching() as (watcher, told):
        settled(training, watcher)
        before = len(told.told)
        UNUSUAL[what](training)
        assert not watcher.stream.paused
        for _ in range(4):
            training.clear_first()
        assert told.told[before:].count("step_ended") == 4


def test_a_second_call_in_training_mode_ends_a_pause_with_the_round() -> None:
    training = Training()
    with watching() as (watcher, told):
        settled(training, watcher)
        training.forward()
        training.forward()
        training.clear_first()
        before = len(told.told)
        for _ in range(3):
            training.clear_first()
        assert told.told[before:].count("step_ended") == 3


def test_optimizers_that_take_turns_are_told_of_at_each_step() -> None:
    one, other = Training(), Training()
    with watching() as (_, told):
        for _ in range(400):
            one.clear_first()
            other.clear_first()
    assert told.told.count("step_ended") == 800


def test_passes_are_counted_right_through_pauses() -> None:
    training = Training()
    seen: list[tuple[int, int, int, bool]] = []

    class Passes:
        def on_epoch_ended(self, event: Event) -> None:
            seen.append((event.epoch.batches, event.epoch.learned, event.epoch.steps, event.epoch.trains))

    loader = torch.utils.data.DataLoader(torch.randn(400 * 8, 4), batch_size=8, shuffle=True)
    with watching() as (watcher, _):
        watcher.stream.subscribe(Passes())
        paused = 0
        for _ in range(4):
            for training.batch in loader:
                training.clear_first()
                paused += watcher.stream.paused
    assert paused > 800
    assert seen == [(400, 400, 400, True)] * 4


def nan_at(number: int) -> Iterator[Any]:
    for step in range(STEPS):
        batch = torch.rand(8, 4)
        if step == number:
            batch[5, 2] = -1.0
        yield batch


@pytest.mark.parametrize("number", [703, 760, 811])
def test_a_nan_is_traced_wherever_it_comes(number: int) -> None:
    class Root(Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(4, 1)

        def forward(self, values: Any) -> Any:
            return self.linear(values.sqrt())

    model = Root()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with watching(codes=frozenset({"TS601"})) as (watcher, _):
        paused = False
        for step, batch in enumerate(nan_at(number)):
            loss = model(batch).mean()
            paused = watcher.stream.paused if step == number else paused
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    (finding,) = watcher.findings
    assert "`sqrt`" in finding.message
    assert finding.evidence["samples"] == [5]
    assert finding.evidence["step"] == number
    assert paused or number == 811


def test_an_evaluation_in_training_mode_is_seen_after_many_steps() -> None:
    for right in (True, False):
        training = Training()
        train = torch.utils.data.DataLoader(torch.randn(500 * 8, 4), batch_size=8, shuffle=True)
        val = torch.utils.data.DataLoader(torch.randn(10 * 8, 4), batch_size=8)
        with watching(codes=frozenset({"TS201", "TS202", "TS203"})) as (watcher, _):
            for epoch in range(3):
                training.model.train()
                for training.batch in train:
                    training.clear_first()
                if right or epoch < 2:
                    training.model.eval()
                with torch.no_grad():
                    for training.batch in val:
                        training.forward()
        assert [finding.code for finding in watcher.findings] == ([] if right else ["TS201"])


def test_looked_at_steps_are_no_part_of_a_pause() -> None:
    training = Training()
    full: list[tuple[int, bool]] = []

    class Full:
        def on_step_ended(self, event: Event) -> None:
            if watcher.stream.sampled:
                full.append((watcher.stream.step, watcher.stream.paused))

    with watching() as (watcher, _):
        watcher.stream.subscribe(Full())
        for _ in range(STEPS):
            training.clear_first()
    assert len(full) > 40
    assert not any(paused for _, paused in full)
    assert max(later - earlier for (earlier, _), (later, _) in pairwise(full)) < 150
