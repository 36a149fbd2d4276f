"""The step comes before the backward pass, in a function of its own."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)


def update(loss):
    optimizer.zero_grad()  # TS104
    optimizer.step()  # TS104
    loss.backward()  # TS104


for _ in range(5):
    update(nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)))
