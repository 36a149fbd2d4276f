"""A clamp hides that scores are no probabilities."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(3):
    x = torch.randn(32, 4)
    optimizer.zero_grad()
    loss = criterion(model(x).squeeze(1).clamp(1e-6, 1 - 1e-6), (x[:, 0] > 0).float())  # TS303
    loss.backward()
    optimizer.step()
