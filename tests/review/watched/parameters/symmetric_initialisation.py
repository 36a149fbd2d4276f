"""Hidden weights that all begin at the same number."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
for parameter in model.parameters():
    nn.init.constant_(parameter, 0.1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # TS514
for _ in range(30):
    x = torch.randn(16, 4)
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), x[:, :1].sin()).backward()
    optimizer.step()
