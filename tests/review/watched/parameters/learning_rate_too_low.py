"""A rate with which nothing is learned in a lifetime."""

import torch
from torch import nn

torch.manual_seed(0)
weights = torch.randn(4, 1)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)  # TS511
for _ in range(700):
    x = torch.randn(256, 4)
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), x @ weights).backward()
    optimizer.step()  # TS511
