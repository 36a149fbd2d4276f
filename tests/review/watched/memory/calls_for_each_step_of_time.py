"""Loops that have to be: over time, over samples whose gradients are wanted one by one, over models."""

import torch
from torch import nn


class Leaky(nn.Module):
    """A neuron that remembers."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)
        self.register_buffer("charge", torch.zeros(12, 4))

    def forward(self, x):
        self.charge = 0.9 * self.charge.detach() + self.body(x)
        return self.charge


class Spiking(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)
        self.charge = None

    def forward(self, x):
        self.charge = self.body(x) if self.charge is None else 0.9 * self.charge.detach() + self.body(x)
        return self.charge


def steps(module, count=4):
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    for _ in range(count):
        optimizer.zero_grad()
        yield torch.randn(12, 12, 4)
        optimizer.step()


cell = nn.GRUCell(4, 4)
for x in steps(cell):
    state = torch.zeros(12, 4)
    for t in range(12):
        state = cell(x[t], state)  # needs the state before
    state.square().mean().backward()

line = nn.Linear(4, 4)
for x in steps(line):
    loss = 0.0
    for t in range(12):
        loss = loss + line(x[:, t]).square().mean()  # no rows of the batch
    loss.backward()

for x in steps(line):
    for sample in x:
        line(sample).square().mean().backward()  # a gradient of each sample

for module in (Leaky(), Spiking()):
    for x in steps(module):
        loss = 0.0
        for t in range(12):
            loss = loss + module(x[t]).square().mean()  # remembers the step before
        loss.backward()

norm = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
for x in steps(norm):
    loss = 0.0
    for part in x:
        loss = loss + norm(part).square().mean()  # statistics of each part
    loss.backward()

layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(12)])
for x in steps(layers):
    loss = 0.0
    for layer, part in zip(layers, x, strict=True):
        loss = loss + layer(part).square().mean()  # another layer for each
    loss.backward()
