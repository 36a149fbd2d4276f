"""Losses that are written out, of outputs (N, 1) and targets (N,), or the reverse."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(48, 4)
y = x[:, 0] * 2


def squares(model):
    outputs = model(x[:16])
    loss = ((outputs - y[:16]) ** 2).mean()  # TS306
    loss.backward()  # TS306


def amounts(model):
    outputs = model(x).squeeze(-1)
    (y.unsqueeze(-1) - outputs).abs().sum().backward()  # TS306


def product(model):
    error = model(x) - y
    loss = torch.mean(error * error)  # TS306
    loss.backward()  # TS306


for step in (squares, amounts, product):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    for _ in range(4):
        optimizer.zero_grad()
        step(model)
        optimizer.step()
