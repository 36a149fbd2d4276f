"""Gradients that the loss itself asks for are computed where the loss is; the backward pass is outside."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(4):
    optimizer.zero_grad()
    x = torch.randn(8, 4, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model(x)
        slope = torch.autograd.grad(outputs.sum(), x, create_graph=True)[0]
        loss = outputs.pow(2).mean() + slope.pow(2).mean()
    with torch.autocast("cpu", enabled=False):
        loss.backward()
    optimizer.step()
