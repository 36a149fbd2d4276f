"""Ten rows of the test data are never evaluated."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make(count, batch_size, train):
    data = TensorDataset(torch.randn(count, 4), torch.randn(count, 1))
    return DataLoader(data, batch_size=batch_size, shuffle=train, drop_last=True)  # TS409


torch.manual_seed(0)
loaders = {"train": make(130, 20, True), "test": make(110, 50, False)}
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _epoch in range(2):
    for x, y in loaders["train"]:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        model.eval()
        held_out = loaders["test"]
        print(sum(nn.functional.mse_loss(model(x), y).item() for x, y in held_out))  # TS409
        model.train()
