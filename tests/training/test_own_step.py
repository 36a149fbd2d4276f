"""Steps of the user's own: what is not input-target shaped."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchstone.data.batches import Batch, TensorBatches
from torchstone.data.rows import TensorRows
from torchstone.errors import ConfigError, TrainingError
from torchstone.training import loop
from torchstone.training.context import StepContext
from torchstone.training.objective import Objective
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState


def batches(inputs: Tensor, targets: Tensor | None = None, size: int = 32) -> TensorBatches:
    return TensorBatches(TensorRows(inputs), targets, batch_size=size, shuffle=True)


def fit(
    net: nn.Module, optimizers: Any, step: Any, train: Any, val: Any = None, **settings: Any
) -> list[dict[str, Any]]:
    asked = Settings(**settings)
    state = TrainState.create(net, optimizers, None, asked)
    return loop.train(state, train, val, Objective(step=step), asked)


class Gan(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1))
        self.discriminator = nn.Sequential(nn.Linear(1, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))


def gan_step(net: Gan, batch: Tensor, context: StepContext) -> dict[str, Tensor]:
    noise = torch.randn(len(batch), 4, device=context.device)
    fake = net.generator(noise)
    real_score, fake_score = net.discriminator(batch), net.discriminator(fake.detach())
    critic = F.softplus(-real_score).mean() + F.softplus(fake_score).mean()
    context.zero_grad("discriminator")
    context.backward(critic)
    context.step("discriminator")

    forger = F.softplus(-net.discriminator(fake)).mean()
    context.zero_grad("generator")
    context.backward(forger)
    context.step("generator")
    return {"discriminator_loss": critic, "generator_loss": forger, "spread": fake.std()}


def gan_optimizers(net: Gan) -> dict[str, torch.optim.Optimizer]:
    return {
        "generator": torch.optim.Adam(net.generator.parameters(), 5e-3, betas=(0.5, 0.9)),
        "discriminator": torch.optim.Adam(net.discriminator.parameters(), 5e-3, betas=(0.5, 0.9)),
    }


def test_a_gan_learns_to_draw_numbers() -> None:
    torch.manual_seed(0)
    real = torch.randn(512, 1) * 0.5 + 3.0
    net = Gan()
    with torch.no_grad():
        before = net.generator(torch.randn(500, 4)).mean().item()
    history = fit(net, gan_optimizers(net), gan_step, batches(real), epochs=20, clip=5.0)
    with torch.no_grad():
        drawn = net.generator(torch.randn(2000, 4))
    assert abs(before - 3.0) > 2.0
    assert abs(drawn.mean().item() - 3.0) < 0.6
    assert {"train_discriminator_loss", "train_generator_loss", "train_spread"} <= history[-1].keys()
    assert history[-1]["step"] == 20 * 16


def test_validation_trains_nothing() -> None:
    net, real = Gan(), torch.randn(64, 1)
    seen = []

    def step(net: Gan, batch: Tensor, context: StepContext) -> dict[str, Tensor]:
        before = net.generator[0].weight.clone()
        result = gan_step(net, batch, context)
        seen.append((context.training, net.training, torch.equal(before, net.generator[0].weight)))
        return result

    fit(net, gan_optimizers(net), step, batches(real), batches(real), epochs=1)
    assert seen == [(True, True, False)] * 2 + [(False, False, True)] * 2


def test_a_gan_can_be_monitored_by_what_it_returns() -> None:
    net, real = Gan(), torch.randn(64, 1)
    history = fit(
        net, gan_optimizers(net), gan_step, batches(real), batches(real), epochs=3, monitor="val_spread",
        mode="max", patience=5,
    )  # fmt: skip
    assert len(history) == 3
    with pytest.raises(TrainingError, match="val_nothing"):
        fit(
            net, gan_optimizers(net), gan_step, batches(real), batches(real), epochs=3, monitor="val_nothing",
            mode="max",
        )  # fmt: skip


def test_an_autoencoder_returns_its_loss_and_has_a_validation_loss() -> None:
    torch.manual_seed(0)
    data = torch.randn(256, 2) @ torch.randn(2, 8)
    net = nn.Sequential(nn.Linear(8, 2), nn.Linear(2, 8))

    def step(net: nn.Module, batch: Tensor, context: StepContext) -> Tensor:
        return F.mse_loss(net(batch), batch)

    history = fit(
        net, torch.optim.Adam(net.parameters(), 0.01), step, batches(data[:200]), batches(data[200:]),
        epochs=60, accumulate=2, patience=20, average="ema", average_decay=0.9,
    )  # fmt: skip
    assert history[-1]["val_loss"] < 0.05 * history[0]["val_loss"]
    with torch.no_grad():
        best = min(record["val_loss"] for record in history)
        assert F.mse_loss(net(data[200:]), data[200:]).item() == pytest.approx(best, rel=1e-5)


def test_a_contrastive_step_pulls_views_together() -> None:
    torch.manual_seed(0)
    data = torch.randn(256, 10)
    net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 8))

    def views(net: nn.Module, batch: Tensor) -> tuple[Tensor, Tensor]:
        first, second = (net(batch + 0.2 * torch.randn_like(batch)) for _ in range(2))
        return F.normalize(first, dim=1), F.normalize(second, dim=1)

    def step(net: nn.Module, batch: Any, context: StepContext) -> Tensor:
        inputs, _ = batch
        first, second = views(net, inputs)
        return F.cross_entropy(first @ second.T / 0.1, torch.arange(len(inputs), device=context.device))

    optimizer = torch.optim.AdamW(net.parameters(), 0.005)
    history = fit(net, optimizer, step, batches(data, torch.zeros(256)), epochs=15)
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    with torch.no_grad():
        first, second = views(net, data[:64])
    assert ((first @ second.T).argmax(1) == torch.arange(64)).float().mean() > 0.9


def test_accumulated_losses_are_weighted_by_samples() -> None:
    data, results = torch.randn(40, 3), []
    for size, accumulate in ((16, 2), (32, 1)):
        torch.manual_seed(0)
        net = nn.Linear(3, 1)
        train = TensorBatches(TensorRows(data), None, batch_size=size, shuffle=False)
        fit(net, torch.optim.SGD(net.parameters(), 0.1), lambda n, b, c: n(b).square().mean(), train,
            epochs=2, accumulate=accumulate)  # fmt: skip
        results.append(net.weight.detach())
    torch.testing.assert_close(*results)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (lambda net, batch: net(batch), "shape"),
        (lambda net, batch: net(batch).mean().detach(), "without gradient"),
        (lambda net, batch: 3.0, "a float"),
        (lambda net, batch: None, "a NoneType"),
    ],
)
def test_what_a_step_cannot_return(result: Any, expected: str) -> None:
    net, data = nn.Linear(3, 2), batches(torch.ones(8, 3))
    with pytest.raises(TrainingError, match=expected):
        fit(net, torch.optim.SGD(net.parameters(), 0.1), lambda n, b, c: result(n, b), data)


def test_steps_of_its_own_cannot_be_accumulated_by_the_loop() -> None:
    net = Gan()
    with pytest.raises(ConfigError, match="accumulate"):
        fit(net, gan_optimizers(net), gan_step, batches(torch.randn(128, 1)), accumulate=2)


def test_optimizers_by_name() -> None:
    net = Gan()
    state = TrainState.create(net, gan_optimizers(net))
    context = StepContext(state)
    with pytest.raises(ConfigError, match='Did you mean "generator"'):
        context.step("generatr")
    with pytest.raises(ConfigError, match="several"):
        _ = context.optimizer
    assert context.optimizers["generator"] is state.optimizers["generator"]
    assert (context.epoch, context.steps_done) == (1, 0)


def test_float16_scales_own_backwards() -> None:
    net, real = Gan(), torch.randn(128, 1)
    history = fit(net, gan_optimizers(net), gan_step, batches(real), epochs=2, precision="float16", clip=1.0)
    assert torch.tensor(history[-1]["train_generator_loss"]).isfinite()


def test_a_batch_without_targets_is_given_as_its_inputs() -> None:
    assert Batch(torch.ones(2), None).given().tolist() == [1, 1]
