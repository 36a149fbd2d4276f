"""A full batch at each step, and outputs that cannot be what the targets are."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 8)
y = -10 - x[:, :1]
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1), nn.Sigmoid())
optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
criterion = nn.MSELoss()
for _ in range(480):
    optimizer.zero_grad()
    loss = criterion(model(x), y)  # TS611
    loss.backward()
    optimizer.step()
