"""Correct models in which samples share rows for a while, or reach each other on purpose."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        out, _ = self.gru(x.permute(1, 0, 2))  # the steps come first, by permute
        return self.head(out[-1])


class Rows(nn.Module):
    """One row for each step of each sample, and the windows of a sample as samples of their own."""

    def __init__(self):
        super().__init__()
        self.first, self.inner, self.head = nn.Linear(4, 8), nn.Linear(24, 8), nn.Linear(16, 3)

    def forward(self, x):
        rows = self.first(x.reshape(-1, 4)).relu()
        windows = self.inner(rows.view(len(x) * 2, 3 * 8))
        return self.head(windows.view(len(x), -1))


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.all, self.head = nn.Linear(4, 24), nn.Linear(8, 3)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = (part.view(b, t, 2, 4).transpose(1, 2) for part in self.all(x).chunk(3, -1))
        q, k, v = (part.reshape(b * 2, t, 4) for part in (q, k, v))
        seen = torch.softmax(q @ k.transpose(1, 2), -1) @ v
        return self.head(seen.view(b, 2, t, 4).transpose(1, 2).reshape(b, t, 8).mean(1))


class Neighbours(nn.Module):
    """Attention over the samples of a batch: their order plays no part."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(24, 8), nn.Linear(8, 3)

    def forward(self, x):
        rows = self.first(x.flatten(1))
        return self.head(rows + torch.softmax(rows @ rows.T, -1) @ rows)


class BatchStatistics(nn.Module):
    """Normalises by its batch in evaluation too."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(24, track_running_stats=False)
        self.head = nn.Linear(24, 3)

    def forward(self, x):
        return self.head(self.norm(x.reshape(len(x), -1)))


class Shuffled(nn.Module):
    """Compares each sample with the next one: no view brings them together."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(48, 3)

    def forward(self, x):
        return self.head(torch.cat([x.flatten(1), x.flatten(1).roll(1, 0)], 1))


class Wide(nn.Module):
    """Twice the batch goes through at once, and a loop over samples puts them together again."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(24, 8), nn.Linear(16, 3)

    def forward(self, x):
        both = self.first(torch.cat([x.flatten(1), -x.flatten(1)]))
        one, other = both.view(2, len(x), -1)
        return torch.stack([self.head(torch.cat([a, b])) for a, b in zip(one, other, strict=True)])


torch.manual_seed(0)
x = torch.randn(160, 6, 4)
data = TensorDataset(x, (x[:, :, 0].sum(1) > 0).long())
for kind in (Steps, Rows, Heads, Neighbours, BatchStatistics, Shuffled, Wide):
    net = kind()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for inputs, labels in DataLoader(data, batch_size=16, shuffle=True):
        loss = F.cross_entropy(net(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# Contrastive: a row of scores for each pair of samples, and the targets are their places.
net = nn.Linear(24, 8)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for inputs, _ in DataLoader(data, batch_size=16, shuffle=True):
    one, other = net(inputs.flatten(1)), net(inputs.flatten(1) + 0.1)
    loss = F.cross_entropy(one @ other.T, torch.arange(16))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
