"""Evaluation with dropout at work, over a loader of its own and over the training loader once more."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs, targets = torch.randn(48, 4), torch.randint(0, 2, (48,))
training = DataLoader(TensorDataset(inputs[:32], targets[:32]), batch_size=8, shuffle=True)
testing = DataLoader(TensorDataset(inputs[32:], targets[32:]), batch_size=8)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    model.train()
    for x, y in training:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        for x, y in testing:
            right = (model(x).argmax(1) == y).sum()  # TS201
        for x, y in training:
            right = (model(x).argmax(1) == y).sum()  # TS201
