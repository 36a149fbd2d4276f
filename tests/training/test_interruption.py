"""Ctrl-C and SIGTERM in every part of a run."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from torchstone.data.batches import TensorBatches
from torchstone.data.rows import TensorRows
from torchstone.errors import Interrupted
from torchstone.runs import checkpoint
from torchstone.runs.directory import RunDirectory
from torchstone.training import loop
from torchstone.training.callbacks import Callback, TrainContext
from torchstone.training.objective import Objective
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState

INPUTS = torch.randn(96, 4)
TARGETS = torch.randint(0, 2, (96,))


class Calls:
    """A count that copies of a module share."""

    count = 0

    def __deepcopy__(self, memo: Any) -> Calls:
        return self


class Net(nn.Module):
    """Sends itself a signal at a call in evaluation or training mode."""

    def __init__(self, *, call: int, training: bool, times: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.dropout = nn.Linear(4, 2), nn.Dropout(0.2)
        self.call, self.at, self.times, self.calls = call, training, times, Calls()

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training == self.at:
            self.calls.count += 1
            if self.calls.count == self.call:
                for _ in range(self.times):
                    os.kill(os.getpid(), signal.SIGINT)
        return self.layer(self.dropout(inputs))


def run(net: Net, directory: RunDirectory | None = None, callbacks: Any = (), **settings: Any) -> TrainState:
    asked = Settings(**{"epochs": 4, "deterministic": True, **settings})
    state = TrainState.create(net, torch.optim.Adam(net.parameters(), 0.01), None, asked)
    if directory is not None and checkpoint.list_steps(directory):
        state.load(checkpoint.load(directory))
    train = TensorBatches(TensorRows(INPUTS), TARGETS, batch_size=16, shuffle=True)
    val = TensorBatches(TensorRows(INPUTS), TARGETS, batch_size=16, shuffle=False)
    loop.train(
        state, train, val, Objective(nn.CrossEntropyLoss()), asked, directory=directory, callbacks=callbacks
    )
    return state


@pytest.mark.parametrize(
    ("call", "average"), [(1, "none"), (3, "ema"), (8, "none"), (12, "none"), (21, "swa")]
)
def test_a_signal_in_validation_loses_nothing(call: int, average: str, tmp_path: Path) -> None:
    whole = run(Net(call=0, training=False), average=average)
    directory = RunDirectory.create(tmp_path / "run", "x", False)
    with pytest.raises(Interrupted) as caught:
        run(Net(call=call, training=False), directory, average=average)
    assert caught.value.status == 75
    assert f"torchstone resume {directory.path}" in str(caught.value)
    assert len(caught.value.history) == call // 6
    resumed = run(Net(call=0, training=False), directory, average=average)
    assert torch.equal(resumed.module.layer.weight, whole.module.layer.weight)
    assert [r["val_loss"] for r in resumed.history] == [r["val_loss"] for r in whole.history]


def test_the_group_in_progress_is_finished_first(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run", "x", False)
    with pytest.raises(Interrupted, match="SIGINT in epoch 1 after step 1"):
        run(Net(call=1, training=True), directory, accumulate=4)
    assert checkpoint.load(directory).state["position"] == 64


def test_without_a_directory_the_history_is_all_there_is() -> None:
    handler, net = signal.getsignal(signal.SIGINT), Net(call=8, training=True)
    with pytest.raises(Interrupted, match="no run directory") as caught:
        run(net)
    assert [record["epoch"] for record in caught.value.history] == [1]
    assert signal.getsignal(signal.SIGINT) is handler
    assert net.training
    # the module has the best weights so far
    assert net.layer.weight.isfinite().all()


def test_a_second_signal_ends_at_once_and_the_checkpoint_before_stays(tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGINT)
    directory = RunDirectory.create(tmp_path / "run", "x", False)
    with pytest.raises(KeyboardInterrupt):
        run(Net(call=8, training=True, times=2), directory, save_every=0.0)
    assert checkpoint.list_steps(directory)[-1] in (6, 7)
    assert signal.getsignal(signal.SIGINT) is handler


def test_callbacks_see_how_it_ended() -> None:
    seen: list[Any] = []

    class End(Callback):
        def on_end(self, context: TrainContext, error: BaseException | None) -> None:
            seen.append(type(error))

    with pytest.raises(Interrupted):
        run(Net(call=2, training=True), callbacks=[End(), End()])
    assert seen == [Interrupted, Interrupted]


def test_a_signal_handler_of_the_users_own_is_put_back() -> None:
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    mine = signal.getsignal(signal.SIGTERM)
    try:
        run(Net(call=0, training=True), epochs=1)
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)
