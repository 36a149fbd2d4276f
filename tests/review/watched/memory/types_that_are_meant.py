"""Numbers in float64 that somebody asked for, and a cache that is emptied now and then."""

import torch
from torch import nn


class Precise(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 3)

    def forward(self, x):
        return self.body(x).double().logsumexp(1)  # asked for where it is done


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.register_buffer(
            "seen", torch.zeros(1, dtype=torch.float64)
        )  # a sum that shall not lose anything

    def forward(self, x):
        self.seen += len(x)
        return self.body(x)


def train(model, dtype=torch.float32):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(12):
        optimizer.zero_grad()
        model(torch.randn(8, 4, dtype=dtype)).square().mean().backward()
        optimizer.step()
        if step % 4 == 3:
            torch.cuda.empty_cache()  # now and then


train(Precise())
train(Counting())
train(nn.Linear(4, 3).double(), torch.float64)  # a run in float64
train(nn.Linear(4, 3, dtype=torch.float64), torch.float64)
