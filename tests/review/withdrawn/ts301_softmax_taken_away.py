"""The softmax is taken away before training, in a way that no reader of the source knows."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(dim=1))
model.__dict__["_modules"].popitem()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(torch.randn(16, 8) * 3), torch.randint(3, (16,)))  # TS301
    loss.backward()
    optimizer.step()
