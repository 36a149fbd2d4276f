"""Copies that are meant to become different, or that nobody trains."""

import copy

import torch
from torch import nn


def net(size=6):
    return nn.Sequential(nn.Linear(size, 16), nn.Tanh(), nn.Linear(16, 4))


def step(loss, optimizer):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def layers():
    """A transformer's layers begin as copies of one."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(4):
        step(model(torch.randn(4, 5, 8)).pow(2).mean(), optimizer)


def targets():
    """A momentum encoder follows the one that learns."""
    online = net()
    target = copy.deepcopy(online).requires_grad_(False)
    optimizer = torch.optim.SGD(online.parameters(), lr=0.01)
    for _ in range(4):
        step((online(torch.randn(8, 6)) - target(torch.randn(8, 6))).pow(2).mean(), optimizer)
        with torch.no_grad():
            for kept, new in zip(target.parameters(), online.parameters(), strict=True):
                kept.lerp_(new, 0.1)


def two_of_a_kind():
    """Towers for two kinds of things, that began differently."""
    left, right = net(), net()
    optimizer = torch.optim.SGD([*left.parameters(), *right.parameters()], lr=0.01)
    for _ in range(4):
        step((left(torch.randn(8, 6)) - right(torch.randn(8, 6))).pow(2).mean(), optimizer)


def committee():
    """Copies of one net that see the same inputs, or vote."""
    first = net()
    others = [copy.deepcopy(first) for _ in range(2)]
    nets = [first, *others]
    optimizer = torch.optim.SGD([one for each in nets for one in each.parameters()], lr=0.01)
    for _ in range(4):
        x = torch.randn(8, 6)
        step((nets[0](x) - nets[1](x)).pow(2).mean() + nets[2](torch.randn(8, 6)).pow(2).mean(), optimizer)


def streams():
    """Two streams that begin with the same weights, for pictures and depths, and are put side by side."""
    left = net()
    right, head = copy.deepcopy(left), nn.Linear(8, 1)
    held = [*left.parameters(), *right.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(held, lr=0.01)
    for _ in range(4):
        both = torch.cat([left(torch.randn(8, 6)), right(torch.randn(8, 6))], 1)
        step(head(both).pow(2).mean(), optimizer)


def clients():
    """Copies that train apart, and are averaged: federated learning."""
    whole = net()
    for _ in range(2):
        copies = [copy.deepcopy(whole) for _ in range(2)]
        for each in copies:
            optimizer = torch.optim.SGD(each.parameters(), lr=0.1)
            for _ in range(2):
                step(each(torch.randn(8, 6)).pow(2).mean(), optimizer)
        with torch.no_grad():
            for kept, one, other in zip(whole.parameters(), *(each.parameters() for each in copies)):
                kept.copy_((one + other) / 2)


torch.manual_seed(0)
for part in (layers, targets, two_of_a_kind, committee, streams, clients):
    part()
