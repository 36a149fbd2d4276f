"""What `ts.fit` may be given: data, optimizers, schedulers, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, WeightedRandomSampler

import torchstone as ts

torch.manual_seed(0)
X = torch.randn(240, 6)
Y = X[:, :3].argmax(1)


class Items(Dataset[tuple[Tensor, Tensor]]):
    """A map-style data set."""

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return X[index], Y[index]


class Stream(IterableDataset[tuple[Tensor, Tensor]]):
    """A data set without a length."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(zip(X, Y, strict=True))


def net(outputs: int = 3) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, outputs))


def fit(train: Any = (X, Y), module: nn.Module | None = None, **asked: Any) -> ts.Run:
    module = module or net()
    usual = {"loss": nn.CrossEntropyLoss(), "optimizer": lambda p: torch.optim.Adam(p, 0.01), "epochs": 3}
    return ts.fit(module, train, **{"quiet": True, **usual, **asked})


@pytest.mark.parametrize(
    "data",
    [
        (X, Y),
        (X.double().numpy(), Y.int().numpy()),
        TensorDataset(X, Y),
        Items(),
        Stream(),
        DataLoader(Items(), batch_size=16),
        DataLoader(Items(), batch_size=16, shuffle=True),
        DataLoader(Items(), batch_size=16, sampler=WeightedRandomSampler([1.0] * 240, 240)),
        DataLoader(Items(), batch_size=16, shuffle=True, num_workers=1),
        DataLoader(Stream(), batch_size=16),
        [X, Y],
    ],
    ids=["tensors", "arrays", "tensor data set", "data set", "iterable data set", "loader", "shuffled loader",
         "sampler", "workers", "iterable loader", "list"],
)  # fmt: skip
def test_all_kinds_of_data_are_learned_from(data: Any) -> None:
    run = fit(data, val=data)
    losses = run.history["train_loss"]
    assert losses[-1] < 0.8 * losses[0]
    assert run.history["val_accuracy"][-1] > 0.5


def test_tensors_data_set_and_shuffled_loader_give_the_same_bits() -> None:
    loader = DataLoader(Items(), batch_size=16, shuffle=True)
    runs = [fit(data, batch_size=16, seed=3) for data in ((X, Y), TensorDataset(X, Y), Items(), loader)]
    weights = [run.module[0].weight for run in runs]
    assert all(torch.equal(weight, weights[0]) for weight in weights)


def test_what_is_resumed_at_epoch_borders_only_is_said() -> None:
    assert fit(DataLoader(Items(), batch_size=16, shuffle=True)).notes == []
    assert "a stopped run goes on" in fit(Stream()).notes[0]


def test_weights_of_samples_count() -> None:
    doubled = torch.cat([X[:100], X[:50]]), torch.cat([Y[:100], Y[:50]])
    weights = torch.cat([torch.full((50,), 2.0), torch.ones(50)])
    sgd = {"optimizer": lambda p: torch.optim.SGD(p, 0.5), "epochs": 5}
    weighted = fit((X[:100], Y[:100], weights), batch_size=100, **sgd)
    repeated = fit(doubled, batch_size=150, **sgd)
    assert torch.allclose(weighted.module[0].weight, repeated.module[0].weight, atol=1e-5)


@pytest.mark.parametrize(
    ("loss", "outputs", "targets"),
    [
        (F.cross_entropy, 3, Y),
        (nn.CrossEntropyLoss(label_smoothing=0.1, weight=torch.tensor([1.0, 2.0, 1.0])), 3, Y),
        (nn.BCEWithLogitsLoss(), 1, (Y == 0).float().unsqueeze(1)),
        (nn.HuberLoss(), 3, X[:, :3]),
        (lambda outputs, targets: (outputs - targets).abs().mean(), 3, X[:, :3]),
        (lambda outputs, targets: (outputs - targets).abs().mean(1), 3, X[:, :3]),
        (nn.MultiMarginLoss(), 3, Y),
    ],
    ids=["function", "options", "one output", "numbers", "own mean", "own per sample", "margin"],
)
def test_any_loss(loss: Any, outputs: int, targets: Tensor) -> None:
    history = fit((X, targets), net(outputs), val=(X, targets), loss=loss, epochs=5).history
    assert history["val_loss"][-1] < history["val_loss"][0]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_clipping_and_accumulation_are_those_of_a_plain_loop(accumulate: int) -> None:
    sgd = {"optimizer": lambda p: torch.optim.SGD(p, 1.0), "epochs": 1, "keep": "last"}
    run = fit(DataLoader(Items(), batch_size=80 // accumulate + 1), clip=0.05, accumulate=accumulate, **sgd)
    plain, size = net(), (80 // accumulate + 1) * accumulate
    optimizer = torch.optim.SGD(plain.parameters(), 1.0)
    for start in range(0, 240, size):
        optimizer.zero_grad()
        F.cross_entropy(plain(X[start : start + size]), Y[start : start + size]).backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 0.05)
        optimizer.step()
    assert torch.allclose(run.module[0].weight, plain[0].weight, atol=1e-6)


def test_optimizers_as_instance_class_function_and_dictionary_are_the_same() -> None:
    modules = [net() for _ in range(4)]
    given: list[Any] = [
        torch.optim.Adam(modules[0].parameters()),
        torch.optim.Adam,
        lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
        {"all": torch.optim.Adam(modules[3].parameters())},
    ]
    runs = [fit(module=m, optimizer=o) for m, o in zip(modules, given, strict=True)]
    assert all(torch.equal(run.module[0].weight, runs[0].module[0].weight) for run in runs)


def test_frozen_parameters_stay_and_are_not_given_to_the_optimizer() -> None:
    module = net()
    module[0].requires_grad_(False)
    before = module[0].weight.clone()
    run = fit(module=module, optimizer=lambda p: torch.optim.AdamW(p, weight_decay=0.5))
    assert torch.equal(run.module[0].weight, before)
    assert not module[0].weight.requires_grad


def test_lbfgs_evaluates_the_loss_by_itself() -> None:
    run = fit(optimizer=lambda p: torch.optim.LBFGS(p, max_iter=5), batch_size=240, epochs=4)
    assert run.history["train_loss"][-1] < 0.5 * run.history["train_loss"][0]


def test_a_scheduler_as_instance_and_as_function() -> None:
    module = net()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.8)
    by_instance = fit(module=module, optimizer=optimizer, scheduler=lr_scheduler.StepLR(optimizer, 1, 0.5))
    by_function = fit(
        optimizer=lambda p: torch.optim.SGD(p, lr=0.8), scheduler=lambda o: lr_scheduler.StepLR(o, 1, 0.5)
    )
    assert by_instance.history["lr"].to_list() == by_function.history["lr"].to_list() == [0.8, 0.4, 0.2]
    assert torch.equal(by_instance.module[0].weight, by_function.module[0].weight)


def test_one_cycle_moves_per_step_and_ends_where_it_should() -> None:
    rates: list[float] = []

    class Rates(ts.Callback):
        def on_step(self, context: Any) -> None:
            rates.append(context.state.lr)

    fit(
        batch_size=24,
        optimizer=lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        scheduler=lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.5, total_steps=30),
        callbacks=[Rates()],
    )
    assert len(rates) == 30
    assert max(rates) == pytest.approx(0.5)
    assert min(rates) == rates[28] < 1e-3


def test_plateau_looks_at_the_monitored_value() -> None:
    # No loss can be better by a factor of ten.
    run = fit(
        val=(X, Y),
        optimizer=lambda p: torch.optim.SGD(p, lr=1.0),
        scheduler=lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=10.0, factor=0.1),
        epochs=4,
    )
    assert run.history["lr"].to_list() == pytest.approx([1.0, 0.1, 0.01, 0.001])


def test_a_scheduler_for_each_of_two_optimizers() -> None:
    module = net()
    optimizers = {
        "first": torch.optim.SGD(module[0].parameters(), lr=0.1),
        "last": torch.optim.SGD(module[2].parameters(), lr=0.1),
    }
    fit(module=module, optimizer=optimizers, scheduler={"last": lambda o: lr_scheduler.ExponentialLR(o, 0.5)})
    assert optimizers["first"].param_groups[0]["lr"] == 0.1
    assert optimizers["last"].param_groups[0]["lr"] == pytest.approx(0.0125)


OTHER = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"optimizer": OTHER}, "none of the module's parameters"),
        ({"optimizer": "adam"}, "expected an optimizer or a function of the parameters, got 'adam'"),
        ({"optimizer": lambda p: 3}, "the function gave int"),
        ({"optimizer": {}}, "dictionary of optimizers"),
        ({"optimizer": {"main": torch.optim.Adam}}, "dictionary of optimizers"),
        ({"scheduler": lr_scheduler.StepLR(OTHER, 1)}, "moves another optimizer"),
        ({"scheduler": {"mian": lr_scheduler.StepLR}}, 'no optimizer "mian"'),
        ({"loss": None}, "loss: there is none"),
        ({"train": (X, Y[:10])}, r"X and y differ in length: X is \(240, 6\), y \(10,\)"),
        ({"train": {"x": X}}, "a Dataset or a DataLoader, not a dict"),
        ({"train": (X[:0], Y[:0])}, "empty"),
        ({"train": (X, Y, torch.full((240,), -1.0))}, "not negative"),
        ({"metrics": ["acuracy"]}, 'Did you mean "accuracy"'),
        ({"metrics": ["rmse"]}, 'there is no "rmse" for this loss'),
        ({"loss": lambda o, t: o.mean(), "metrics": ["accuracy"]}, "does not say what the outputs are"),
        ({"monitor": "acuracy", "val": (X, Y)}, 'Did you mean "accuracy"'),
        ({"monitor": "accuracy"}, "needs validation samples"),
        ({"patience": 3}, "val_loss needs validation samples"),
        ({"epochs": 0, "clip": -1.0}, "epochs: .*\nclip: "),
        ({"precision": "half"}, "precision: expected one of"),
        ({"device": "cdua"}, 'Did you mean "cuda"'),
        ({"train": DataLoader(Items(), batch_size=16), "batch_size": 32}, "batches of 16"),
    ],
)
def test_a_wrong_argument_is_told_before_the_first_step(asked: dict[str, Any], message: str) -> None:
    module = net()
    before = module[0].weight.clone()
    with pytest.raises(ts.UsageError, match=message):
        fit(module=module, **asked)
    assert torch.equal(module[0].weight, before)
    assert module.training


@pytest.mark.parametrize(
    ("module", "data", "loss", "code"),
    [
        (net(1), (X, X[:, 0]), nn.MSELoss(), "TS306"),
        (nn.Sequential(net(), nn.Softmax(dim=1)), (X, Y), nn.CrossEntropyLoss(), "TS301"),
        (net(), (X, Y.float()), nn.CrossEntropyLoss(), "TS307"),
        (net(2), (X, Y), nn.CrossEntropyLoss(), "TS308"),
        (net(3), (X, torch.where(torch.arange(240) == 7, 9, Y)), nn.CrossEntropyLoss(), "TS308"),
        (nn.Linear(5, 3), (X, Y), nn.CrossEntropyLoss(), "5"),
    ],
    ids=["(N, 1) and (N,)", "softmax", "dtype", "too few classes", "one wrong label", "input shape"],
)
def test_what_does_not_fit_is_one_readable_error(module: nn.Module, data: Any, loss: Any, code: str) -> None:
    with pytest.raises(ts.PreflightError) as caught:
        fit(data, module, loss=loss)
    assert code in str(caught.value)
    assert caught.value.findings
