"""Columns of very different sizes go into a model whose loss is a module."""

import torch
from torch import nn

generator = torch.Generator().manual_seed(0)
inputs = torch.randn(256, 4, generator=generator) * torch.tensor([1.0, 1.0, 1.0, 1e5])
targets = torch.randint(0, 3, (256,), generator=generator)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters())
for start in range(0, 256, 32):
    optimizer.zero_grad()
    loss = criterion(model(inputs[start : start + 32]), targets[start : start + 32])  # TS407
    loss.backward()
    optimizer.step()
