"""The loss is made anew from its value."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(5):
    optimizer.zero_grad()
    error = nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1))
    loss = torch.tensor(error, requires_grad=True)  # TS107
    loss.backward()  # TS107
    optimizer.step()
