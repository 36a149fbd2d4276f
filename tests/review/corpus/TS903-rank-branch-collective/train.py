# ends in an error
"""The next value of noisy sine waves, by a GRU on two processes: python train.py"""

import math

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from parallel import free_port, is_main_process, mean_over_ranks, setup


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, series):
        states, _ = self.rnn(series)
        return self.head(states[:, -1])


def waves(count, length=20):
    generator = torch.Generator().manual_seed(count)
    phase = torch.rand(count, 1, generator=generator) * 2 * math.pi
    speed = 0.2 + 0.3 * torch.rand(count, 1, generator=generator)
    series = torch.sin(phase + speed * torch.arange(length + 1))
    series = series + 0.02 * torch.randn(series.shape, generator=generator)
    return TensorDataset(series[:, :-1].unsqueeze(-1), series[:, -1:])


def make_loader(data, shuffle):
    sampler = DistributedSampler(data, shuffle=shuffle)
    return DataLoader(data, batch_size=32, sampler=sampler)


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    squared, count = 0.0, 0
    for series, following in loader:
        squared += (model(series) - following).pow(2).sum().item()
        count += len(following)
    return mean_over_ranks(squared / count)


def train_epoch(model, loader, optimizer):
    model.train()
    for series, following in loader:
        loss = nn.functional.mse_loss(model(series), following)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def worker(rank, world_size, port):
    setup(rank, world_size, port)
    train_loader = make_loader(waves(512), shuffle=True)
    val_loader = make_loader(waves(128), shuffle=False)
    model = DistributedDataParallel(Forecaster())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    for epoch in range(4):
        train_loader.sampler.set_epoch(epoch)
        loss = train_epoch(model, train_loader, optimizer)
        if is_main_process():
            error = evaluate(model, val_loader)  # TS903
            print(f"epoch {epoch}: loss {loss:.4f}, validation error {error:.4f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(worker, args=(2, free_port()), nprocs=2)
