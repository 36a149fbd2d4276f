"""A log-softmax is put in before training, in a way that no reader of the source knows."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
model.__dict__["_modules"]["3"] = nn.LogSoftmax(dim=1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    loss = nn.functional.nll_loss(model(torch.randn(16, 8)), torch.randint(3, (16,)))  # TS304
    loss.backward()
    optimizer.step()
