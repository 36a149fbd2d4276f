"""The loaders are made in another file."""

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler

from sums import mean_over_ranks
from waves import Waves


def own_loader(model, epochs):
    data = Waves()
    loader = DataLoader(data, batch_size=8, sampler=DistributedSampler(data))
    for epoch in range(epochs):
        total = 0.0
        for x, _ in loader:  # TS902
            total += model(x).detach().mean()
        mean = mean_over_ranks(total)  # safe: all ranks take part
        if dist.get_rank() == 0:
            print(epoch, mean)


def report(model, x):
    if dist.get_rank() == 0:
        print(mean_over_ranks(model(x).detach().mean()))  # TS903
    if dist.get_world_size() > 1:
        torch.save(mean_over_ranks(x), "mean.pt")  # safe: all ranks of several
