"""Clipping comes before the backward pass, in a loop of its own making."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(5):
    loss = nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1))
    model.zero_grad()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)  # TS111
    loss.backward()  # TS111
    optimizer.step()
