"""Two processes that train together, each in a way of its own."""

import os
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


def train(model, loader, rate, epochs=3):
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for epoch in range(epochs):
        for x, y in loader:  # TS902
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()


def work(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(48, 4), torch.randn(48, 1))
    model = DistributedDataParallel(torch.nn.Linear(4, 1))
    train(model, DataLoader(data, batch_size=8, shuffle=True), rate=0.01)  # TS901
    torch.save(model.module.state_dict(), os.path.join(folder, "model.pt"))  # TS905

    other = DistributedDataParallel(torch.nn.Linear(4, 1))  # TS904
    train(other, DataLoader(data, batch_size=8, sampler=DistributedSampler(data)), rate=0.1 / (1 + rank))
    dist.destroy_process_group()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as shared:
        mp.spawn(work, args=(shared,), nprocs=2)
