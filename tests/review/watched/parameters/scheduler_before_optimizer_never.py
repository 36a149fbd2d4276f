"""Schedulers that are right to move before their optimizer has."""

import torch
from torch import nn


def fit(model, optimizer):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).pow(2).mean().backward()
    optimizer.step()


torch.manual_seed(0)
model = nn.Linear(4, 1)

# A run that goes on: the schedule is wound forward first.
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
for _ in range(5):
    scheduler.step()
for _ in range(5):
    fit(model, optimizer)
    scheduler.step()

# A warm-up whose first rate is 0, which is left out on purpose.
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 3))
for _ in range(5):
    scheduler.step()
    fit(model, optimizer)

# Gradients are accumulated, and the schedule counts batches.
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
for step in range(12):
    (model(torch.randn(8, 4)).pow(2).mean() / 2).backward()
    if (step + 1) % 2 == 0:
        optimizer.step()
        optimizer.zero_grad()
    scheduler.step()

# The scaler leaves the first step out when its scale is too large.
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
for step in range(5):
    optimizer.zero_grad()
    factor = float("inf") if step == 0 else 1.0
    scaler.scale(model(torch.randn(8, 4)).pow(2).mean() * factor).backward()
    scaler.step(optimizer)
    scaler.update()
    scheduler.step()
