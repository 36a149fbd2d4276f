from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from torchstone.data.batches import TensorBatches
from torchstone.data.rows import TensorRows
from torchstone.errors import ConfigError
from torchstone.training import loop
from torchstone.training.averaging import WeightAverage
from torchstone.training.objective import Objective
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState


def change(net: nn.Module, value: float) -> None:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(value)


def test_ema_is_torchs_once_its_decay_has_risen() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = WeightAverage(net, "ema", 0.2, epochs=1)
    reference = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.2), use_buffers=True)
    assert average.module is None
    for step in range(8):
        net(torch.randn(8, 2))
        change(net, float(step))
        average.after_step(net)
        reference.update_parameters(net)
    for key, value in reference.module.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(average.module.state_dict()[key], value, rtol=1e-3, atol=1e-2)


def test_ema_follows_quickly_in_the_beginning() -> None:
    net = nn.Linear(1, 1)
    average = WeightAverage(net, "ema", 0.999, epochs=1)
    change(net, 0.0)
    average.after_step(net)
    change(net, 1.0)
    for _ in range(50):
        average.after_step(net)
    # with a constant decay of 0.999 it would have come only to 0.05
    assert average.module.weight.item() > 0.9


def test_swa_is_the_mean_over_the_last_epochs() -> None:
    net = nn.Linear(1, 1)
    average = WeightAverage(net, "swa", 0.9, epochs=8)
    for epoch in range(8):
        change(net, float(epoch))
        average.after_step(net)
        average.after_epoch(net, epoch)
    assert average.module.weight.item() == pytest.approx(6.5)


def test_swa_recomputes_batch_statistics() -> None:
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))
    average = WeightAverage(net, "swa", 0.9, epochs=1)
    average.after_epoch(net, 0)
    data = torch.randn(100, 3) + 5
    average.refresh_batch_statistics(data.split(25))
    torch.testing.assert_close(average.module[0].running_mean, data.mean(0))


@pytest.mark.parametrize("kind", ["ema", "swa"])
@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_average_is_validated_and_kept(kind: str, keep: str) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(128, 4)
    targets = inputs[:, :2].argmax(1)
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    settings = Settings(epochs=4, average=kind, average_decay=0.9, keep=keep)  # type: ignore[arg-type]
    state = TrainState.create(net, torch.optim.SGD(net.parameters(), 0.1), None, settings)
    batches = TensorBatches(TensorRows(inputs), targets, batch_size=16, shuffle=True)
    history = loop.train(state, batches, batches, Objective(nn.CrossEntropyLoss()), settings)
    losses = [record["val_loss"] for record in history]
    net.eval()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(net(inputs), targets).item()
    assert loss == pytest.approx(min(losses) if keep == "best" else losses[-1], rel=1e-5)


def test_a_module_that_cannot_be_copied_is_told() -> None:
    class Stubborn(nn.Linear):
        def __deepcopy__(self, memo: object) -> None:
            raise TypeError("not me")

    with pytest.raises(ConfigError, match="not me"):
        WeightAverage(Stubborn(1, 1), "ema", 0.9, 1)
