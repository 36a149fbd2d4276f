"""Evaluation mode is set in a way that no reader of the source knows."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
train_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
test_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
train_loader, test_loader = (
    DataLoader(train_set, batch_size=8, shuffle=True),
    DataLoader(test_set, batch_size=8),
)
model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, y in train_loader:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
for part in [vars(model), *map(vars, vars(model)["_modules"].values())]:
    part["training"] = False
correct = 0
with torch.no_grad():
    for x, y in test_loader:
        correct += (model(x).argmax(1) == y).sum().item()  # TS201
