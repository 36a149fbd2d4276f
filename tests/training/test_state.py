from __future__ import annotations

import pytest
import torch
from torch import nn

from torchstone.errors import ConfigError, RunError
from torchstone.runs.checkpoint import Checkpoint
from torchstone.training.schedules import build_schedule
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState


def test_one_optimizer_is_called_main() -> None:
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
    schedule = build_schedule("cosine", optimizer, steps_per_epoch=2, epochs=2)
    state = TrainState.create(net, optimizer, schedule)
    assert list(state.optimizers) == list(state.schedules) == ["main"]
    assert state.optimizer is optimizer
    assert state.lr == 0.3
    assert state.forward is net
    assert state.evaluated() is net


def test_the_optimizer_still_holds_the_parameters_after_the_move() -> None:
    net = nn.Linear(2, 1).double()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 2, dtype=torch.float64)).sum().backward()
    optimizer.step()
    state = TrainState.create(net, optimizer, None, Settings(device="cpu"))
    assert state.optimizer.param_groups[0]["params"][0] is net.weight
    assert state.optimizer.state[net.weight]["exp_avg"].dtype is torch.float64


def test_a_state_in_another_type_than_the_weights_keeps_it() -> None:
    net = nn.Linear(2, 1).bfloat16()
    optimizer = torch.optim.SGD(net.parameters(), momentum=0.9, lr=0.1)
    exact = torch.tensor([[1 + 2**-20, 2.0]])
    optimizer.state[net.weight]["momentum_buffer"] = exact
    state = TrainState.create(net, optimizer)
    kept = state.optimizer.state[net.weight]["momentum_buffer"]
    assert kept.dtype is torch.float32
    assert torch.equal(kept, exact)

    other = nn.Linear(2, 1).bfloat16()
    resumed = TrainState.create(other, torch.optim.SGD(other.parameters(), momentum=0.9, lr=0.1))
    resumed.load(Checkpoint(0, state.tensors(), state.state()))
    assert torch.equal(resumed.optimizer.state[other.weight]["momentum_buffer"], exact)


def _saved(net: nn.Module, scheduler: str = "none") -> Checkpoint:
    optimizer = torch.optim.Adam(net.parameters())
    schedule = build_schedule(scheduler, optimizer, steps_per_epoch=2, epochs=2)
    state = TrainState.create(net, optimizer, schedule)
    return Checkpoint(3, state.tensors(), state.state())


def test_another_class_of_optimizer_or_scheduler_is_refused_by_name() -> None:
    net = nn.Linear(2, 1)
    sgd = TrainState.create(net, torch.optim.SGD(net.parameters(), lr=0.1))
    with pytest.raises(RunError, match=r"step 3 does not fit: it was made with Adam, .* has SGD") as caught:
        sgd.load(_saved(net))
    assert caught.value.hint == "Resume with the optimizer of the run."
    adam = torch.optim.Adam(net.parameters())
    cycle = build_schedule("onecycle", adam, steps_per_epoch=2, epochs=2)
    with pytest.raises(RunError, match=r"made with CosineAnnealingLR, .* has OneCycleLR") as caught:
        TrainState.create(net, adam, cycle).load(_saved(net, "cosine"))
    assert caught.value.hint == "Resume with the scheduler of the run."


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_a_checkpoint_without_classes_is_loaded_where_it_fits(kind: type[torch.optim.Optimizer]) -> None:
    net = nn.Linear(2, 1)
    saved = _saved(net)
    del saved.state["classes"]
    state = TrainState.create(net, kind(net.parameters()))
    if kind is torch.optim.Adam:
        state.load(saved)
        return
    with pytest.raises(RunError, match="made with another optimizer or scheduler, which has no dampening"):
        state.load(saved)


def test_a_module_that_does_not_fit_is_told_on_one_line() -> None:
    saved, other = _saved(nn.Sequential(nn.Linear(2, 1))), nn.Sequential(nn.Linear(3, 1), nn.Linear(1, 1))
    state = TrainState.create(other, torch.optim.Adam(other.parameters()))
    with pytest.raises(
        RunError, match=r"Sequential: Missing key.*1\.weight.*size mismatch for 0\.weight"
    ) as caught:
        state.load(saved)
    assert "\n" not in caught.value.message


def test_tensors_are_filed_by_what_they_are() -> None:
    net = nn.Linear(2, 1)
    state = TrainState.create(net, torch.optim.Adam(net.parameters()), None, Settings(average="ema"))
    assert set(state.tensors()) == {"model", "optimizer", "average"}
    state.best.keep(net.state_dict(), 1, 1)
    assert set(state.tensors()) == {"model", "optimizer", "average", "best"}


def test_lbfgs_and_float16_do_not_go_together() -> None:
    net = nn.Linear(2, 1)
    with pytest.raises(ConfigError, match="LBFGS"):
        TrainState.create(net, torch.optim.LBFGS(net.parameters()), None, Settings(precision="float16"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_state_of_an_earlier_training_moves_along() -> None:
    net = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    TrainState.create(net, optimizer, None, Settings(device="cuda"))
    assert optimizer.state[net.weight]["exp_avg"].is_cuda
