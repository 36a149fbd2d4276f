"""Data sets that write something down for each sample, and give the same samples each time."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Kept(Dataset):
    """Fills a cache, counts visits, keeps the last noise, and augments a copy."""

    def __init__(self):
        self.rows = torch.randn(40, 8)
        self.labels = torch.randint(0, 2, (40,))
        self.cache = torch.zeros(40, 8)
        self.full = [False] * 40
        self.visits = torch.zeros(40)
        self.noise = torch.zeros(40, 8)

    def __len__(self):
        return 40

    def __getitem__(self, index):
        self.visits[index] += 1
        if not self.full[index]:
            self.cache[index] = self.rows[index] / self.rows[index].norm()  # once
            self.full[index] = True
        self.noise[index] = 0.1 * torch.randn(8)  # another one each time, but no sample
        row = self.cache[index].clone()
        row += self.noise[index]
        return row, self.labels[index]


torch.manual_seed(0)
loader = DataLoader(Kept(), batch_size=10, shuffle=True)
model = nn.Linear(8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _epoch in range(4):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        x.mul_(0)  # a batch is a copy
