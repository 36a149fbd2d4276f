"""The sigmoid is taken away before training, in a way that no reader of the source knows."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
model.__dict__["_modules"].popitem()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(  # TS302
        model(torch.randn(16, 8) * 3), torch.rand(16, 1).round()
    )
    loss.backward()
    optimizer.step()
