from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from torchstone.data.batches import Batch, TensorBatches
from torchstone.data.rows import TensorRows
from torchstone.training import loop
from torchstone.training.context import StepContext
from torchstone.training.objective import Objective
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState
from torchstone.training.step import train_step


def parts(**settings: Any) -> tuple[TrainState, Objective, StepContext]:
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    state = TrainState.create(net, torch.optim.SGD(net.parameters(), 0.1), None, Settings(**settings))
    return state, Objective(nn.CrossEntropyLoss()), StepContext(state)


def test_the_norm_is_measured_before_clipping() -> None:
    batch = Batch(torch.randn(4, 3), torch.tensor([0, 1, 0, 1]))
    norms = []
    for clip in (None, 1e-3):
        state, objective, context = parts()
        train_step(state, [batch], objective, context, clip=clip, measure=True)
        norms.append(state.gradient_norm)
    torch.testing.assert_close(*norms)
    assert norms[0] > 0.01


def test_nothing_is_measured_unless_asked_for() -> None:
    state, objective, context = parts()
    train_step(state, [Batch(torch.randn(4, 3), torch.tensor([0, 1, 0, 1]))], objective, context)
    assert state.gradient_norm is None
    assert not state.updating


@pytest.mark.parametrize("targets", [[0, 1, 0, 1], [0, -100, 0, 1]])
def test_the_loss_of_a_sum_over_labels_is_noted_as_their_mean(targets: list[int]) -> None:
    batch = Batch(torch.randn(4, 3), torch.tensor(targets))
    state, objective, context = parts()
    expected = objective.compute(state.module, batch).item()
    train_step(state, [batch], Objective(nn.CrossEntropyLoss(reduction="sum")), context)
    state.means.collect()
    assert state.means.means()["loss"] == pytest.approx(expected)


class Told(torch.optim.LBFGS):
    """Keeps what its closure tells, and does not step."""

    def step(self, closure: Any) -> Any:
        self.told = closure()
        return self.told


def test_a_closure_tells_the_loss_whose_gradients_it_computes() -> None:
    batch = Batch(torch.randn(4, 3), torch.tensor([0, -100, 0, 1]))
    net = nn.Linear(3, 2)
    optimizer = Told(net.parameters())
    state = TrainState.create(net, optimizer)
    objective = Objective(nn.CrossEntropyLoss(reduction="sum"))
    train_step(state, [batch], objective, StepContext(state))
    torch.testing.assert_close(optimizer.told, objective.compute(net, batch).detach())


class Waits(TorchDispatchMode):
    """Counts how often a number is read from a tensor, which on a GPU waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "_local_scalar_dense" in str(function) or "nonzero" in str(function):
            self.count += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "settings", [{}, {"clip": 1.0}, {"accumulate": 2}, {"average": "ema"}, {"precision": "bfloat16"}]
)
def test_the_host_does_not_wait_for_the_device_at_each_step(settings: dict[str, Any]) -> None:
    state, objective, _ = parts(epochs=1, log_every=500, **settings)
    train = TensorBatches(
        TensorRows(torch.randn(1200, 3)), torch.randint(0, 2, (1200,)), batch_size=4, shuffle=True
    )
    with Waits() as waits:
        loop.train(state, train, None, objective, Settings(epochs=1, log_every=500, **settings))
    assert state.step >= 150
    # a few at the beginning and at the end; `ema` reads torch's counter, which is on the host, twice a step
    assert waits.count < 30 + (2 * state.step if "average" in settings else 0)
