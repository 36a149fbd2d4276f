"""Random numbers in data sets, in the shapes in which people write them."""

import random

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

SEED = 42
shared = np.random.default_rng(SEED)
unseeded = np.random.default_rng()


class Rows(Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)


class Stored(Rows):
    def __init__(self, rows, seed=0):
        super().__init__(rows)
        self.random = random.Random(seed)

    def __getitem__(self, index):
        shift = self.random.randint(-4, 4)  # TS406
        return self.rows[index].roll(shift)


class FromGenerator(Rows):
    def __init__(self, rows):
        super().__init__(rows)
        self.generator = torch.Generator().manual_seed(0)

    def __getitem__(self, index):
        noise = torch.randn(8, generator=self.generator)  # TS406
        return self.rows[index] + noise


class OfFile(Rows):
    def __getitem__(self, index):
        if shared.random() < 0.5:  # TS406
            return self.rows[index].flip(0)
        return self.rows[index]


class OfFileUnseeded(Rows):
    def __getitem__(self, index):
        return self.rows[index] * unseeded.random()  # safe: a worker that imports the file draws anew


class Alone(Rows):
    def __init__(self, rows):
        super().__init__(rows)
        self.rng = np.random.default_rng(0)

    def __getitem__(self, index):
        return self.rows[index] * self.rng.random()  # safe: no workers


class PerSample(Rows):
    def __init__(self, rows, seed):
        super().__init__(rows)
        self.seed = seed

    def __getitem__(self, index):
        rng = np.random.default_rng(self.seed + index)  # safe: on purpose the same for a sample
        return self.rows[index] * rng.random()


class PerWorker(Rows):
    def __init__(self, rows):
        super().__init__(rows)
        self.rng = np.random.default_rng(0)

    def __getitem__(self, index):
        info = get_worker_info()
        if info is not None:
            self.rng = np.random.default_rng(info.seed + index)
        return self.rows[index] * self.rng.random()  # safe: made anew in each worker


class Fixed(Rows):
    def __getitem__(self, index):
        np.random.seed(SEED)  # TS406
        return self.rows[index] * np.random.rand()


class Paired(Rows):
    def __getitem__(self, index):
        seed = random.randrange(2**31)
        torch.manual_seed(seed)  # safe: two calls are given the same draws
        first = self.rows[index] + torch.randn(8)
        torch.manual_seed(seed)
        return first, self.rows[index] - torch.randn(8)


def same_seed(worker_id):
    np.random.seed(SEED)


def own_seed(worker_id):
    np.random.seed(torch.initial_seed() % 2**32)


def by_worker(worker_id):
    np.random.seed(SEED + worker_id)


def loaders(rows, batch):
    workers = 4
    return (
        DataLoader(Stored(rows), batch, shuffle=True, num_workers=2),
        DataLoader(FromGenerator(rows), batch, shuffle=True, num_workers=workers),
        DataLoader(OfFile(rows), batch, shuffle=True, num_workers=4),
        DataLoader(OfFileUnseeded(rows), batch, shuffle=True, num_workers=4),
        DataLoader(Alone(rows), batch, shuffle=True),
        DataLoader(PerSample(rows, 0), batch, shuffle=True, num_workers=4),
        DataLoader(PerWorker(rows), batch, shuffle=True, num_workers=4),
        DataLoader(Fixed(rows), batch, shuffle=True),
        DataLoader(rows, batch, num_workers=4, worker_init_fn=same_seed),  # TS406
        DataLoader(rows, batch, num_workers=4, worker_init_fn=lambda _: random.seed(0)),  # TS406
        DataLoader(rows, batch, num_workers=4, worker_init_fn=own_seed),  # safe: a seed of its own
        DataLoader(rows, batch, num_workers=4, worker_init_fn=by_worker),  # safe: a seed for each worker
    )
