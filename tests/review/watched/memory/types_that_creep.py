"""Models in float32 whose outputs become float64 on the way."""

import numpy as np
import torch
from torch import nn


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.scale = nn.Parameter(torch.tensor(np.ones(3)))  # TS706

    def forward(self, x):
        return self.body(x) * self.scale


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.weights = np.linspace(0, 1, 3)

    def forward(self, x):
        return self.body(x) * torch.as_tensor(self.weights)  # TS706


class Standardised(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.mean = torch.from_numpy(np.zeros(4))

    def forward(self, x):
        return self.inner(x - self.mean)

    def inner(self, x):
        return self.body(x.to(self.body.weight.dtype)) + self.mean[:3]


def train(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(4):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()  # TS706
        optimizer.step()


train(Scaled())
train(Weighted())
train(Standardised())
