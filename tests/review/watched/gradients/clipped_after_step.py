"""Clipping comes after the step, in another function."""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.Adam(model.parameters())


def limit():
    clip_grad_norm_(model.parameters(), max_norm=0.5)  # TS111


for _ in range(5):
    optimizer.zero_grad(set_to_none=False)
    nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()  # TS111
    optimizer.step()
    limit()
