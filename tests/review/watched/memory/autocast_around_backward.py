"""The whole step under autocast."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


@torch.autocast("cpu", dtype=torch.bfloat16)
def step(x, y):
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()  # TS710
    optimizer.step()


for _ in range(4):
    step(torch.randn(8, 4), torch.randn(8, 1))
