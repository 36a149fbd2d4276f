"""Probabilities that are clamped for the logarithm's sake, and others."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(3):
    x = torch.randn(32, 4)
    y = (x[:, 0] > 0).float()
    optimizer.zero_grad()
    scores = model(x).squeeze(1)
    loss = criterion(torch.sigmoid(50 * scores).clamp(1e-6, 1 - 1e-6), y)  # many at the bounds
    loss = loss + criterion((0.2 * scores + 0.5).clamp(0, 1), y)  # a hard sigmoid, by hand
    loss = loss + criterion(1 - (1 - scores.sigmoid()) * 0.5, y)
    loss.backward()
    optimizer.step()
