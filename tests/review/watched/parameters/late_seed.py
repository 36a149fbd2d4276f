"""Seeded when the weights are there already."""

import torch
from torch import nn

model = nn.Linear(8, 2)  # TS515
torch.manual_seed(0)  # TS515
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    model(torch.randn(16, 8)).pow(2).mean().backward()
    optimizer.step()
