"""Losses that are written out and compare what they should, all pairs among them."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(16, 4)
y = x[:, 0] * 2
levels = torch.linspace(0.1, 0.9, 5)


def column(model):
    return ((model(x) - y[:, None]) ** 2).mean()  # safe: (N, 1) and (N, 1)


def row(model):
    return (model(x).squeeze(-1) - y).abs().mean()  # safe: (N,) and (N,)


def mean(model):
    return ((model(x) - y.mean()) ** 2).mean()  # safe: one number for all


def all_pairs(model):
    outputs = model(x)
    return (outputs - outputs.T).abs().mean()  # safe: the outputs among themselves


def quantiles(model):
    outputs = model(x).squeeze(-1)
    return (outputs[:, None] - y[None, :]).abs().mean()  # safe: made for all pairs by hand


def spread(model):
    return ((model(x) - levels) ** 2).mean()  # safe: five levels for each


for loss in (column, row, mean, all_pairs, quantiles, spread):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    for _ in range(4):
        optimizer.zero_grad()
        loss(model).backward()
        optimizer.step()
