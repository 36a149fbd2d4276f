"""Models whose calls leave something behind: called once more, nothing may be there twice."""

import random
from collections import defaultdict, deque

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

HISTORY, CALLS = [], 0
generator, python = torch.Generator().manual_seed(1), random.Random(2)


class Counter:
    def __init__(self):
        self.values = defaultdict(list)

    def note(self, name, value):
        self.values[name].append(value)


class Talking(nn.Module):
    """Prints, draws from streams of its own, and counts in lists, objects, globals and buffers."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(6, 16), nn.Linear(16, 3)
        self.norm = nn.BatchNorm1d(16)
        self.drop = nn.Dropout(0.3)
        self.counter, self.last = Counter(), deque(maxlen=3)
        self.register_buffer("calls", torch.zeros(()))
        self.cache = torch.zeros(16)

    def forward(self, x):
        global CALLS
        CALLS += 1
        print("called", CALLS, len(HISTORY))
        self.calls += 1
        self.total = CALLS
        hidden = self.drop(self.norm(self.first(x)).relu())
        HISTORY.append(float(hidden.detach().mean()))
        self.counter.note("mean", HISTORY[-1])
        self.last.append(python.random())
        self.cache[:] = hidden.detach().mean(0)
        noise = torch.randn(16, generator=generator) * 0.01 + self.cache * 0.01
        return self.head(hidden + noise + torch.rand(16) * 0.01)


class Hooked(nn.Module):
    """Its hook keeps what passes."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(6, 16), nn.Linear(16, 3)
        self.first.register_forward_hook(lambda module, given, output: HISTORY.append(output.mean().item()))

    def forward(self, x):
        return self.head(self.first(x).relu())


class Averaging(nn.Module):
    """Moves one part towards another at each call."""

    def __init__(self):
        super().__init__()
        self.first, self.slow, self.head = nn.Linear(6, 16), nn.Linear(6, 16), nn.Linear(16, 3)

    def forward(self, x):
        with torch.no_grad():
            for slow, fast in zip(self.slow.parameters(), self.first.parameters(), strict=True):
                slow.mul_(0.9).add_(fast, alpha=0.1)
        return self.head(self.first(x).relu() + self.slow(x).detach())


torch.manual_seed(0)
data = TensorDataset(torch.randn(160, 6), torch.randint(0, 3, (160,)))
talking, hooked, averaging = Talking(), Hooked(), Averaging()
for net in (talking, hooked, averaging):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for inputs, labels in DataLoader(data, batch_size=16, shuffle=True):
        loss = F.cross_entropy(net(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(
    CALLS, HISTORY[-3:], len(HISTORY), talking.counter.values, talking.last, talking.total, talking.training
)
print(torch.rand(2), torch.rand(2, generator=generator), python.random(), random.random(), talking.cache)
