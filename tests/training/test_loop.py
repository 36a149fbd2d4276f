from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from torchstone.data.batches import Batch, TensorBatches
from torchstone.data.rows import TensorRows
from torchstone.errors import ConfigError, RunError, TrainingError
from torchstone.runs import checkpoint
from torchstone.runs.directory import RunDirectory
from torchstone.runs.metrics_log import MetricsLog
from torchstone.training import loop
from torchstone.training.callbacks import Callback, TrainContext
from torchstone.training.objective import Objective
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState

torch.manual_seed(0)
INPUTS = torch.randn(120, 5)
CLASSES = INPUTS[:, :3].argmax(1)
NUMBERS = INPUTS @ torch.randn(5, 2)


def network(outputs: int = 3) -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, outputs))


def batches(targets: Tensor = CLASSES, size: int = 16, **keywords: Any) -> TensorBatches:
    return TensorBatches(TensorRows(INPUTS), targets, batch_size=size, shuffle=False, **keywords)


def fit(
    net: nn.Module,
    train: Any,
    val: Any = None,
    *,
    loss: Any = None,
    optimizer: Any = None,
    callbacks: Any = (),
    metrics: Any = None,
    directions: Any = None,
    directory: RunDirectory | None = None,
    log: MetricsLog | None = None,
    **settings: Any,
) -> tuple[TrainState, list[dict[str, Any]]]:
    asked = Settings(**settings)
    optimizer = optimizer or torch.optim.SGD(net.parameters(), lr=0.1)
    state = TrainState.create(net, optimizer, None, asked)
    history = loop.train(
        state,
        train,
        val,
        Objective(loss or nn.CrossEntropyLoss()),
        asked,
        metrics=metrics,
        directions=directions,
        callbacks=callbacks,
        directory=directory,
        log=log,
    )
    return state, history


def accuracy(outputs: Tensor, targets: Tensor) -> dict[str, float]:
    return {"accuracy": (outputs.argmax(1) == targets).float().mean().item()}


def test_it_trains_as_the_plain_loop_does_to_the_bit() -> None:
    net, plain = network(), network()
    _, history = fit(net, batches(), epochs=3, clip=0.5)
    optimizer, loss_function, means = torch.optim.SGD(plain.parameters(), lr=0.1), nn.CrossEntropyLoss(), []
    for _ in range(3):
        total = 0.0
        for x, y in zip(INPUTS.split(16), CLASSES.split(16), strict=True):
            optimizer.zero_grad()
            loss = loss_function(plain(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
            optimizer.step()
            total += loss.item() * len(y)
        means.append(total / len(INPUTS))
    assert all(map(torch.equal, net.parameters(), plain.parameters()))
    assert [record["train_loss"] for record in history] == pytest.approx(means, rel=1e-12)


def test_the_history_has_its_keys_and_validation_is_exact() -> None:
    net, weight = network(), torch.tensor([1.0, 4.0, 0.5])
    loss = nn.CrossEntropyLoss(weight=weight)
    _, history = fit(
        net, batches(), batches(size=50), loss=loss, metrics=accuracy, directions={"accuracy": True}, epochs=2
    )
    assert list(history[0]) == [
        "epoch", "step", "train_loss", "val_loss", "val_accuracy", "lr", "seconds", "samples_per_second",
    ]  # fmt: skip
    assert [record["epoch"] for record in history] == [1, 2]
    assert [record["step"] for record in history] == [8, 16]
    with torch.no_grad():
        outputs = net(INPUTS)
    # batches of 50, 50 and 20 with class weights: a mean of batch means would be another number
    assert history[-1]["val_loss"] == pytest.approx(loss(outputs, CLASSES).item(), rel=1e-6)
    assert history[-1]["val_accuracy"] == accuracy(outputs, CLASSES)["accuracy"]


@pytest.mark.parametrize(
    ("loss", "targets", "outputs"),
    [
        (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 6.0, 0.3])), CLASSES, 3),
        (nn.CrossEntropyLoss(ignore_index=1), CLASSES, 3),
        (nn.MSELoss(), NUMBERS, 2),
        (nn.MSELoss(reduction="sum"), NUMBERS / 100, 2),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_k_batches_accumulated_are_one_of_k_times_the_size(
    loss: nn.Module, targets: Tensor, outputs: int, weighted: bool
) -> None:
    weights = torch.rand(120) + 0.1 if weighted else None
    small, large = network(outputs), network(outputs)
    # 120 samples: groups of 3 x 14 and an uneven last group of 14 + 14 + 8
    _, one = fit(small, batches(targets, 14, weights=weights), loss=loss, epochs=2, accumulate=3, clip=1.0)
    _, other = fit(large, batches(targets, 42, weights=weights), loss=loss, epochs=2, clip=1.0)
    assert [record["step"] for record in one] == [3, 6]
    for a, b in zip(small.parameters(), large.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert one[-1]["train_loss"] == pytest.approx(other[-1]["train_loss"], rel=1e-4)


def test_lbfgs_steps_with_a_closure() -> None:
    net = nn.Linear(5, 2)
    _, history = fit(
        net,
        batches(NUMBERS, 120),
        loss=nn.MSELoss(),
        optimizer=torch.optim.LBFGS(net.parameters(), lr=0.5),
        epochs=5,
    )
    assert history[-1]["train_loss"] < 1e-3
    assert history[0]["train_loss"] > 0.1


def test_the_module_ends_with_the_best_weights_or_the_last() -> None:
    class Record(Callback):
        def __init__(self) -> None:
            self.weights: list[Tensor] = []

        def on_epoch_end(self, context: TrainContext, record: dict[str, Any]) -> None:
            self.weights.append(context.module[0].weight.detach().clone())

    for keep in ("best", "last"):
        net, seen = network(), Record()
        state, history = fit(
            net,
            batches(),
            batches(CLASSES.roll(1)),
            optimizer=torch.optim.SGD(net.parameters(), lr=3.0),
            callbacks=[seen],
            epochs=6,
            keep=keep,
        )
        losses = [record["val_loss"] for record in history]
        best = losses.index(min(losses))
        assert state.best.epoch == best + 1
        assert state.best.value == min(losses)
        assert torch.equal(net[0].weight, seen.weights[best if keep == "best" else -1])


def test_early_stopping_waits_for_patience() -> None:
    net = network()
    state, history = fit(
        net,
        batches(),
        batches(),
        optimizer=torch.optim.SGD(net.parameters(), lr=1e-9),
        epochs=50,
        patience=3,
        min_delta=0.01,
    )
    assert len(history) == 4
    assert state.best.waited == 3


@pytest.mark.parametrize("patience", [None, 0])
def test_without_patience_all_epochs_run(patience: int | None) -> None:
    _, history = fit(network(), batches(), batches(CLASSES.roll(1)), epochs=7, patience=patience)
    assert len(history) == 7


@pytest.mark.parametrize(
    ("monitor", "val", "expected"),
    [
        ("acuracy", True, 'Did you mean "accuracy"'),
        ("val_f1", True, "Known: val_loss, accuracy, train_loss"),
        ("accuracy", False, "validation samples"),
        ("nonsense", False, "Known: train_loss"),
    ],
)
def test_an_unknown_metric_is_an_error_before_the_first_step(monitor: str, val: bool, expected: str) -> None:
    net = network()
    before = net[0].weight.clone()
    with pytest.raises(ConfigError, match=expected):
        fit(
            net,
            batches(),
            batches() if val else None,
            metrics=accuracy,
            directions={"accuracy": True},
            monitor=monitor,
            epochs=1,
        )
    assert torch.equal(net[0].weight, before)


def test_patience_without_validation_needs_another_monitor() -> None:
    with pytest.raises(ConfigError, match="train_loss"):
        fit(network(), batches(), patience=2)
    _, history = fit(network(), batches(), patience=2, monitor="train_loss", epochs=3)
    assert len(history) == 3


def test_a_metric_of_nan_is_never_best() -> None:
    values = iter([0.5, math.nan, 0.4])
    state, history = fit(
        network(),
        batches(),
        batches(),
        metrics=lambda outputs, targets: {"score": next(values)},
        directions={"score": True},
        monitor="score",
        epochs=3,
    )
    assert state.best.epoch == 1
    assert math.isnan(history[1]["val_score"])


def test_the_module_is_left_as_it_was_found() -> None:
    net = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 3))
    net[1].eval()
    net[0].requires_grad_(False)
    frozen, statistics = net[0].weight.clone(), net[1].running_mean.clone()
    attributes = set(net.__dict__)
    fit(net, batches(), batches(), epochs=2, average="ema", optimizer=torch.optim.Adam(net[3].parameters()))
    assert type(net) is nn.Sequential
    assert set(net.__dict__) == attributes
    assert [part.training for part in net.modules()] == [True, True, False, True, True]
    assert not net[0].weight.requires_grad
    assert net[3].weight.requires_grad
    assert torch.equal(net[0].weight, frozen)
    assert torch.equal(net[1].running_mean, statistics)
    for part in net.modules():
        assert not part._forward_hooks
        assert not part._forward_pre_hooks
        assert not part._backward_hooks
    assert all(parameter.grad is None for parameter in net.parameters())


def test_global_random_numbers_are_the_users() -> None:
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    fit(nn.Sequential(nn.Dropout(), nn.Linear(5, 3)), batches(), epochs=1, seed=4)
    torch.manual_seed(9)
    assert torch.equal(torch.rand(3), expected)


def test_a_seed_makes_dropout_repeatable() -> None:
    def weights(seed: int) -> Tensor:
        net = network()
        net.insert(1, nn.Dropout(0.5))
        fit(net, batches(), epochs=1, seed=seed)
        return net[0].weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_records_are_logged(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    fit(network(), batches(), batches(), log=log, epochs=2, log_every=4)
    records = log.read()
    assert [(record["event"], record["step"]) for record in records] == [
        ("step", 4), ("step", 8), ("epoch", 8), ("step", 12), ("step", 16), ("epoch", 16),
    ]  # fmt: skip
    assert records[0]["gradient_norm"] > 0
    assert {"epoch", "loss", "lr", "samples_per_second"} <= records[0].keys()


def test_callbacks_are_called_at_their_moments_and_can_stop() -> None:
    calls: list[str] = []

    class Watch(Callback):
        def on_start(self, context: TrainContext) -> None:
            calls.append(f"start {context.steps_per_epoch} {context.samples} {context.monitor}")

        def on_step(self, context: TrainContext) -> None:
            calls.append("step")

        def on_epoch_end(self, context: TrainContext, record: dict[str, Any]) -> None:
            calls.append(f"epoch {record['epoch']}")
            context.stop("enough")

        def on_end(self, context: TrainContext, error: BaseException | None) -> None:
            calls.append(f"end {error}")

    fit(network(), batches(size=60), batches(), callbacks=[Watch()], epochs=5)
    assert calls == ["start 2 120 val_loss", "step", "step", "epoch 1", "end None"]


def test_a_loss_of_nan_ends_with_what_was_before(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run", "x", False)
    inputs = INPUTS.clone()

    class Poison(Callback):
        def on_epoch_end(self, context: TrainContext, record: dict[str, Any]) -> None:
            if record["epoch"] == 2:
                inputs[70] = math.nan

    net, seen = network(), []
    train = TensorBatches(TensorRows(inputs), CLASSES, batch_size=16, shuffle=False)

    class End(Callback):
        def on_end(self, context: TrainContext, error: BaseException | None) -> None:
            seen.append(error)

    with pytest.raises(TrainingError, match="NaN in epoch 3 at step 21") as caught:
        fit(
            net, train, batches(), callbacks=[Poison(), End()], epochs=5, directory=directory, save_every=0.0,
            log_every=4,
        )  # fmt: skip
    assert "learning rate" in str(caught.value)
    assert [record["epoch"] for record in caught.value.history] == [1, 2]
    assert seen == [caught.value]
    # the newest checkpoint is from before, and the module has the best weights
    kept = checkpoint.load(directory)
    assert kept.step <= 20
    assert all(tensor.isfinite().all() for tensor in kept.weights["model"].values())
    assert all(parameter.isfinite().all() for parameter in net.parameters())


def test_an_error_of_the_users_own_keeps_what_was_computed(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run", "x", False)

    class Break(Callback):
        def on_epoch_end(self, context: TrainContext, record: dict[str, Any]) -> None:
            if record["epoch"] == 2:
                raise ZeroDivisionError("mine")

    net = network()
    with pytest.raises(ZeroDivisionError, match="mine"):
        fit(net, batches(), batches(), callbacks=[Break()], epochs=5, directory=directory)
    kept = checkpoint.load(directory)
    assert (kept.step, kept.state["epoch"], len(kept.state["history"])) == (16, 2, 2)
    assert net.training


def test_memory_that_runs_out_is_explained() -> None:
    class Full(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(5, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(TrainingError, match="Memory of cpu ran out in epoch 1 at step 1") as caught:
        fit(Full(), batches(), epochs=1)
    assert "batch_size" in str(caught.value)


def test_an_operation_without_deterministic_version_is_explained() -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        raise RuntimeError("foo does not have a deterministic implementation")

    with pytest.raises(TrainingError, match="foo"):
        fit(network(), batches(), loss=loss, epochs=1, deterministic=True)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_disk_that_fails_for_a_while_does_not_end_the_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = RunDirectory.create(tmp_path / "run", "x", False)
    directory.checkpoints_path.write_text("in the way")  # no folder can be made here

    class Repair(Callback):
        def on_epoch_end(self, context: TrainContext, record: dict[str, Any]) -> None:
            if record["epoch"] == 3:
                directory.checkpoints_path.unlink()

    with caplog.at_level(logging.WARNING, logger="torchstone"):
        _, history = fit(
            network(), batches(), callbacks=[Repair()], directory=directory, epochs=6, save_every=0.0
        )
    assert len(history) == 6
    assert len(caplog.records) == 1
    assert "tries again" in caplog.text
    assert checkpoint.list_steps(directory)[-1] == 48


def test_a_last_checkpoint_that_fails_is_a_run_error_and_the_module_is_trained(tmp_path: Path) -> None:
    directory, net = RunDirectory.create(tmp_path / "run", "x", False), network()
    directory.checkpoints_path.write_text("in the way")
    before = net[0].weight.clone()
    with pytest.raises(RunError, match="could not be written"):
        fit(net, batches(), directory=directory, epochs=2)
    assert not torch.equal(net[0].weight, before)


def test_max_time_ends_an_epoch_early_and_keeps_its_record() -> None:
    class Slow(Callback):
        def on_step(self, context: TrainContext) -> None:
            time.sleep(0.02)

    _, history = fit(network(), batches(), batches(), callbacks=[Slow()], epochs=100, max_time=0.25)
    assert 1 <= len(history) <= 3
    assert history[-1]["val_loss"]
    assert history[-1]["step"] < 24


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_trains_on_the_cpu(precision: str) -> None:
    net, types = network(), []
    net.register_forward_hook(lambda module, inputs, output: types.append(output.dtype))
    _, history = fit(
        net, batches(), batches(), precision=precision, epochs=10, clip=1.0, metrics=accuracy,
        directions={"accuracy": True}, log_every=1,
    )  # fmt: skip
    assert set(types) == {getattr(torch, precision)}
    assert net[0].weight.dtype is torch.float32
    assert history[-1]["train_loss"] < history[0]["train_loss"]


def test_an_optimizer_over_other_parameters_is_refused() -> None:
    with pytest.raises(ConfigError, match="none of the module's parameters"):
        fit(network(), batches(), optimizer=torch.optim.SGD(network().parameters(), 0.1))


def test_data_without_batches_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no batch"):
        fit(network(), batches(size=500, drop_last=True), epochs=1)


def test_a_loader_that_continues_at_borders_only_has_a_checkpoint_at_each(tmp_path: Path) -> None:
    class Borders:
        samples = steps = batch_size = None
        resumable = "epoch"

        def epoch(self, epoch: int, position: int = 0) -> Any:
            assert position == 0
            return (Batch(x, y) for x, y in zip(INPUTS.split(30), CLASSES.split(30), strict=True))

        def to(self, device: Any) -> Any:
            return self

    class Break(Callback):
        def on_step(self, context: TrainContext) -> None:
            if context.state.step == 10:
                raise ZeroDivisionError

    directory = RunDirectory.create(tmp_path / "run", "x", False)
    with pytest.raises(ZeroDivisionError):
        fit(network(), Borders(), Borders(), callbacks=[Break()], directory=directory, epochs=4,
            metrics=accuracy, directions={"accuracy": True})  # fmt: skip
    assert checkpoint.list_steps(directory) == [4, 8]


@pytest.mark.slow
def test_a_compiled_module_stays_plain() -> None:
    net, plain = network(), network()
    fit(net, batches(), batches(), compile=True, epochs=2)
    fit(plain, batches(), batches(), epochs=2)
    assert type(net) is nn.Sequential
    assert list(net.state_dict()) == list(plain.state_dict())
    for a, b in zip(net.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_log_that_cannot_be_written_costs_only_records(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = MetricsLog(tmp_path / "missing" / "metrics.jsonl")
    _, history = fit(network(), batches(), log=log, epochs=3)
    assert len(history) == 3
    assert len(caplog.records) == 1
