"""A plain nn.Module on plain tensors: handwritten digits, 64-128-10."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import nn

import torchstone as ts

digits = load_digits()
order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(0))
X = torch.tensor(digits.data / 16, dtype=torch.float32)[order]
y = torch.tensor(digits.target)[order]


class SimpleNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


torch.manual_seed(0)
model = SimpleNN()
run = ts.fit(
    model,
    (X[:1200], y[:1200]),
    (X[1200:1500], y[1200:1500]),
    loss=nn.CrossEntropyLoss(),
    optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
    epochs=20,
    monitor="accuracy",
    patience=5,
)
print(run.history.select("epoch", "train_loss", "val_loss", "val_accuracy"))

test = ts.evaluate(run, data=(X[1500:], y[1500:]))
accuracy = test.metrics["accuracy"]
print(f"{accuracy['value']:.1%} of {test.rows} digits that it never saw are right", end=" ")
print(f"(95 %: {accuracy['low']:.1%} to {accuracy['high']:.1%})")
