"""A run that was stopped and resumed ends with the bits of one that was never stopped."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from torchstone.data.batches import TensorBatches
from torchstone.data.rows import TensorRows
from torchstone.errors import Interrupted, RunError
from torchstone.runs import checkpoint
from torchstone.runs.directory import RunDirectory
from torchstone.training import loop
from torchstone.training.callbacks import Callback, TrainContext
from torchstone.training.objective import Objective
from torchstone.training.schedules import build_schedule
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState

torch.manual_seed(0)
INPUTS = torch.randn(203, 6)
TARGETS = (INPUTS[:, :3].argmax(1)).long()
NOT_BITS = ("seconds", "samples_per_second")


class StopAt(Callback):
    """Sends a signal to this process after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, context: TrainContext) -> None:
        if context.state.step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def build(settings: Settings, schedule: str) -> tuple[TrainState, TensorBatches, TensorBatches, Objective]:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    train = TensorBatches(TensorRows(INPUTS), TARGETS, torch.arange(160), batch_size=16, shuffle=True, seed=4)
    val = TensorBatches(TensorRows(INPUTS), TARGETS, torch.arange(160, 203), batch_size=16, shuffle=False)
    steps = -(-train.steps // settings.accumulate)
    made = build_schedule(schedule, optimizer, steps_per_epoch=steps, epochs=settings.epochs, warmup=0.5)
    state = TrainState.create(net, optimizer, made, settings)
    return state, train, val, Objective(nn.CrossEntropyLoss())


def finish(
    settings: Settings, schedule: str, directory: RunDirectory | None, callbacks: Any = ()
) -> tuple[TrainState, list[dict[str, Any]]]:
    state, train, val, objective = build(settings, schedule)
    if directory is not None and checkpoint.list_steps(directory):
        state.load(checkpoint.load(directory))
    history = loop.train(
        state,
        train,
        val,
        objective,
        settings,
        metrics=lambda outputs, targets: {"accuracy": (outputs.argmax(1) == targets).float().mean().item()},
        directions={"accuracy": True},
        callbacks=callbacks,
        directory=directory,
    )
    return state, history


def bits(state: TrainState, history: list[dict[str, Any]]) -> tuple[Any, ...]:
    records = [{key: value for key, value in record.items() if key not in NOT_BITS} for record in history]
    return records, state.best.to_json()


SETTINGS = {
    "ema": Settings(epochs=5, average="ema", deterministic=True, seed=2, patience=4, clip=1.0),
    "accumulate": Settings(epochs=5, accumulate=3, deterministic=True, seed=2, monitor="accuracy"),
    "swa": Settings(epochs=5, average="swa", deterministic=True, seed=2, keep="last"),
}
SCHEDULES = {"ema": "cosine", "accumulate": "onecycle", "swa": "ReduceLROnPlateau"}


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_stopped_at_five_steps_and_resumed_bit_for_bit(name: str, tmp_path: Path) -> None:
    settings, schedule = SETTINGS[name], SCHEDULES[name]
    whole, history = finish(settings, schedule, None)
    per_epoch = -(-10 // settings.accumulate)
    stops = [1, per_epoch - 1, per_epoch, 2 * per_epoch + 3, 4 * per_epoch + 2]
    for stop in stops:
        directory = RunDirectory.create(tmp_path / f"run-{stop}", "x", False)
        with pytest.raises(Interrupted, match=f"after step {stop}"):
            finish(settings, schedule, directory, [StopAt(stop)])
        assert checkpoint.list_steps(directory)[-1] == stop
        resumed, resumed_history = finish(settings, schedule, directory)
        assert bits(resumed, resumed_history) == bits(whole, history)
        for key, value in whole.module.state_dict().items():
            assert torch.equal(value, resumed.module.state_dict()[key]), key
        for key, value in whole.best.weights.items():
            assert torch.equal(value, resumed.best.weights[key]), key


def test_stopped_twice(tmp_path: Path) -> None:
    settings = SETTINGS["ema"]
    whole, history = finish(settings, "cosine", None)
    directory = RunDirectory.create(tmp_path / "run", "x", False)
    for stop in (7, 23):
        with pytest.raises(Interrupted):
            finish(settings, "cosine", directory, [StopAt(stop)])
    resumed, resumed_history = finish(settings, "cosine", directory)
    assert bits(resumed, resumed_history) == bits(whole, history)
    assert all(map(torch.equal, whole.module.state_dict().values(), resumed.module.state_dict().values()))


def test_saving_now_and_then_changes_nothing(tmp_path: Path) -> None:
    settings = SETTINGS["ema"]
    whole, history = finish(settings, "cosine", None)
    directory = RunDirectory.create(tmp_path / "run", "x", False)
    saved, saved_history = finish(replace(settings, save_every=0.0, log_every=1), "cosine", directory)
    assert bits(saved, saved_history) == bits(whole, history)
    assert all(map(torch.equal, whole.module.state_dict().values(), saved.module.state_dict().values()))


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run", "x", False)
    first, history = finish(SETTINGS["swa"], "none", directory)
    again, same = finish(SETTINGS["swa"], "none", directory)
    assert same == history
    assert all(map(torch.equal, first.module.state_dict().values(), again.module.state_dict().values()))


def test_another_module_or_optimizer_is_refused(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run", "x", False)
    first, _ = finish(Settings(epochs=1), "none", directory)
    found = checkpoint.load(directory)
    other = nn.Linear(6, 3)
    with pytest.raises(RunError, match="does not fit"):
        TrainState.create(other, torch.optim.SGD(other.parameters(), 0.1), first.schedules).load(found)
    named = TrainState.create(first.module, {"a": first.optimizer})
    with pytest.raises(RunError, match="optimizers"):
        named.load(found)
