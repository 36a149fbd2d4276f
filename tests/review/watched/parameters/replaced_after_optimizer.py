"""A head is replaced after the optimizer took the parameters of the model."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)  # TS503
model[2] = nn.Linear(8, 2)  # TS503
for _ in range(6):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.randn(16, 4)), torch.randint(2, (16,))).backward()
    optimizer.step()
