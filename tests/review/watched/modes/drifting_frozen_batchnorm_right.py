"""Parameters without gradients that are not frozen, and frozen parts in evaluation mode."""

import copy

import torch
from torch import nn


def encoder():
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))


class Contrast(nn.Module):
    """Keys come from a moving average of what the queries come from."""

    def __init__(self):
        super().__init__()
        self.query = encoder()
        self.key = copy.deepcopy(self.query).requires_grad_(False)

    def forward(self, x, y):
        with torch.no_grad():
            for slow, fast in zip(self.key.parameters(), self.query.parameters(), strict=True):
                slow.data = slow.data * 0.999 + fast.data * 0.001
            keys = self.key(y)
        return self.query(x) @ keys.T


class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = encoder().requires_grad_(False)
        self.head = nn.Linear(4, 4)

    def train(self, mode=True):
        super().train(mode)
        self.body.eval()
        return self

    def forward(self, x):
        return self.head(self.body(x))


class Pair(nn.Module):
    """A generator and its judge in one module, frozen by turns."""

    def __init__(self):
        super().__init__()
        self.maker, self.judge = encoder(), encoder()

    def forward(self, x):
        return self.judge(self.maker(x))


torch.manual_seed(0)
contrast, frozen, pair, target = Contrast(), Frozen(), Pair(), encoder().requires_grad_(False)
optimizer = torch.optim.SGD([*contrast.parameters(), *frozen.parameters(), *pair.parameters()], lr=0.1)
for model in (contrast, frozen, pair):
    model.train()
for step in range(16):
    x = torch.randn(8, 4)
    optimizer.zero_grad()
    pair.judge.requires_grad_(step % 2 == 1)
    loss = nn.functional.cross_entropy(contrast(x, x + 0.1), torch.arange(8))
    loss = loss + frozen(x).square().mean() + pair(x).square().mean()
    loss = loss + target(x).mean()  # a target network, all of it without gradients
    loss.backward()
    optimizer.step()
