"""A sigmoid is put in before training, in a way that no reader of the source knows."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
model.__dict__["_modules"]["3"] = nn.Sigmoid()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    loss = nn.functional.binary_cross_entropy(model(torch.randn(16, 8)), torch.rand(16, 1).round())  # TS303
    loss.backward()
    optimizer.step()
