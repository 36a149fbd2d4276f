"""Batch normalisation that decays with the rest, in one of two groups."""

import torch
from torch import nn

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
head = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 1))
model = nn.Sequential(body, head)
groups = [
    {"params": body.parameters(), "lr": 0.01},
    {"params": head.parameters(), "weight_decay": 0.0},
]
optimizer = torch.optim.SGD(groups, lr=0.1, weight_decay=0.05)  # TS516
for _ in range(3):
    optimizer.zero_grad()
    nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
    optimizer.step()
