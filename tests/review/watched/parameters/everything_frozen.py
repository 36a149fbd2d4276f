"""A loss that has a gradient from elsewhere, while all that the optimizer holds is frozen."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 2)
model.requires_grad_(False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # TS504
for _ in range(5):
    x = torch.randn(8, 4, requires_grad=True)
    optimizer.zero_grad()
    model(x).pow(2).mean().backward()
    optimizer.step()
