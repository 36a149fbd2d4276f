"""Workers that draw from copies of one generator, and epochs that are seeded alike."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split

torch.manual_seed(1)
WORKERS = {"num_workers": 2, "multiprocessing_context": "fork"}


class Jitter:
    def __init__(self):
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self, row):
        return row + torch.randn(row.shape, generator=self.generator)  # TS406


class Noisy(Dataset):
    def __init__(self, rows, transform=None):
        self.rows = rows
        self.transform = transform
        self.random = np.random.default_rng(0)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        row = self.rows[index]
        return self.transform(row) if self.transform else self.noise(row)

    def noise(self, row):
        return row + self.random.normal()  # TS406


class Transformed(Dataset):
    def __init__(self, rows):
        self.rows, self.transform = rows, Jitter()

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.transform(self.rows[index])


def train(loader, epochs=1, seed=None):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(epochs):
        if seed is not None:
            torch.manual_seed(seed)  # TS406
        for x in loader:
            optimizer.zero_grad()
            model(torch.as_tensor(x[0] if isinstance(x, list) else x).float()).square().mean().backward()
            optimizer.step()


rows = torch.randn(32, 4)
for data in (random_split(Noisy(rows), [16, 16])[0], Transformed(rows)):
    train(DataLoader(data, batch_size=4, shuffle=True, **WORKERS))  # TS406
again = DataLoader(TensorDataset(rows), batch_size=4, shuffle=True)  # TS406
train(again, 4, 0)
