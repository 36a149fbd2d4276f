"""Generators that workers share rightly, and epochs whose order is the same for a reason."""

import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, get_worker_info

WORKERS = {"num_workers": 2, "multiprocessing_context": "fork"}


class Plain(Dataset):
    def __init__(self, rows):
        self.rows = rows
        self.random = np.random.default_rng(0)
        self.order = self.random.permutation(len(rows))  # drawn once, in the beginning

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[int(self.order[index])]


class Global(Plain):
    def __getitem__(self, index):
        return self.rows[index] + np.random.normal()  # each worker has its own


class OfWorker(Plain):
    def __getitem__(self, index):
        if get_worker_info() is not None:
            self.random = np.random.default_rng([get_worker_info().seed, index])
        return self.rows[index] + self.random.normal()  # made anew in each worker


class OfIndex(Plain):
    def __init__(self, rows):
        super().__init__(rows)
        self.generator = torch.Generator()

    def __getitem__(self, index):
        self.generator.manual_seed(index)
        return self.rows[index] + torch.randn((), generator=self.generator)  # depends on the sample


class Late(Plain):
    def __init__(self, rows):
        super().__init__(rows)
        self.late = None

    def __getitem__(self, index):
        if self.late is None:
            self.late = np.random.default_rng(os.getpid())
        return self.rows[index] + self.late.normal()  # made in the worker


class Fixed(Plain):
    def __getitem__(self, index):
        return self.rows[index] + self.random.normal()


def train(loader, model=None, epochs=1):
    model = nn.Linear(4, 1) if model is None else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(epochs):
        for x in loader:
            x = x[0] if isinstance(x, list) else x
            optimizer.zero_grad()
            model(x.float()).square().mean().backward()
            optimizer.step()
    return model


rows = torch.randn(32, 4)
for kind in (Plain, Global, OfWorker, OfIndex, Late):
    train(DataLoader(kind(rows), batch_size=8, shuffle=True, **WORKERS))
model = train(DataLoader(Fixed(rows), batch_size=8))  # no workers
with torch.no_grad():
    for x in DataLoader(Fixed(rows), batch_size=8, **WORKERS):  # the same noise in each evaluation
        model.eval()(x.float())
loader = DataLoader(TensorDataset(rows), batch_size=4, shuffle=True)
for _ in range(4):
    torch.manual_seed(0)
    train(loader)  # another model each time
train(DataLoader(TensorDataset(rows), batch_size=4), epochs=4)  # in order on purpose
train(loader, epochs=4)
