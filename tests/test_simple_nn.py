"""The two networks that every PyTorch tutorial begins with run as they stand, through `ts.fit`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import torchstone as ts


class SimpleNN(nn.Module):
    """784-128-10."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.fc1(x))
        return self.fc2(x)


class SimpleRegression(nn.Module):
    """10-5-1."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(10, 5)
        self.fc2 = nn.Linear(5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.relu(self.fc1(x)))


def test_ten_classes_with_cross_entropy_and_sgd() -> None:
    torch.manual_seed(0)
    patterns = torch.randn(10, 784)
    labels = torch.randint(10, (1000,))
    pictures = patterns[labels] + 3 * torch.randn(1000, 784)
    model = SimpleNN()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run = ts.fit(
        model,
        DataLoader(TensorDataset(pictures[:800], labels[:800]), batch_size=32, shuffle=True),
        DataLoader(TensorDataset(pictures[800:], labels[800:]), batch_size=32),
        loss=criterion,
        optimizer=optimizer,
        epochs=5,
        quiet=True,
    )
    assert run.module is model
    assert ts.evaluate(run, "val").metrics["accuracy"]["value"] > 0.9


def test_one_number_with_squared_error() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(500, 10)
    targets = inputs[:, :3].sum(1, keepdim=True) + 0.1 * torch.randn(500, 1)
    model = SimpleRegression()
    run = ts.fit(
        model,
        (inputs[:400], targets[:400]),
        (inputs[400:], targets[400:]),
        loss=nn.MSELoss(),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.05),
        epochs=60,
        batch_size=50,
        quiet=True,
    )
    assert ts.evaluate(run, "val").metrics["r2"]["value"] > 0.8
    flat = SimpleRegression()
    with pytest.raises(ts.PreflightError, match="TS306"):  # the trap of (N,) targets is told, not trained
        ts.fit(
            flat,
            (inputs, targets.squeeze(1)),
            loss=nn.MSELoss(),
            optimizer=torch.optim.SGD(flat.parameters(), lr=0.05),
            epochs=1,
            quiet=True,
        )


@pytest.mark.slow  # 60,000 pictures
def test_fashion_mnist(shared_data: Path) -> None:
    from torchvision.datasets import FashionMNIST

    root = str(shared_data / "fashion-mnist")
    train, test = FashionMNIST(root, train=True), FashionMNIST(root, train=False)
    X, y = train.data.flatten(1).float() / 255, train.targets
    torch.manual_seed(0)
    model = SimpleNN()
    run = ts.fit(
        model,
        (X[:55000], y[:55000]),
        (X[55000:], y[55000:]),
        loss=nn.CrossEntropyLoss(),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        epochs=3,
        batch_size=64,
        quiet=True,
    )
    evaluation = ts.evaluate(run, data=(test.data.flatten(1).float() / 255, test.targets))
    assert evaluation.metrics["accuracy"]["value"] > 0.83
