"""The optimizer steps on one model, and the loss comes from another."""

import torch
from torch import nn

torch.manual_seed(0)
small, large = nn.Linear(4, 2), nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(small.parameters(), lr=0.01)
for _ in range(8):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(large(torch.randn(16, 4)), torch.randint(2, (16,)))
    loss.backward()
    optimizer.step()  # TS502
