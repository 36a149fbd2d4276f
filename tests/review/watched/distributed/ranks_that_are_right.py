"""Two processes that train together, and do apart what each has to do."""

import os
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, Subset, TensorDataset


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()


def work(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))
    unseen = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))
    model = DistributedDataParallel(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    sampler = DistributedSampler(data)
    loader = DataLoader(data, batch_size=8, sampler=sampler)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        for x, y in loader:
            step(model, optimizer, x, y)
        model.eval()
        with torch.no_grad():
            for x, y in DataLoader(
                unseen, batch_size=16
            ):  # each rank evaluates on everything: nothing is learned
                model(x)
        model.train()

    mine = Subset(data, range(rank, 64, 2))  # divided by hand
    for x, y in DataLoader(mine, batch_size=8):
        step(model, optimizer, x, y)

    for number, (x, y) in enumerate(DataLoader(data, batch_size=8)):  # divided in the loop
        if number % 2 == rank:
            step(model, optimizer, x, y)

    held_out = DataLoader(
        unseen, batch_size=8, sampler=DistributedSampler(unseen)
    )  # one order will do to evaluate
    for _ in range(3):
        with torch.no_grad():
            for x, y in held_out:
                model(x)

    torch.manual_seed(rank)  # each rank draws from all of the data, in an order of its own
    for x, y in DataLoader(data, batch_size=8, shuffle=True):
        step(model, optimizer, x, y)

    own = nn.Linear(4, 1)  # not wrapped: each rank has its own
    tuning = torch.optim.SGD(own.parameters(), lr=0.1)
    for x, y in DataLoader(mine, batch_size=8):
        step(own, tuning, x, y)

    local = DistributedDataParallel(nn.Linear(4, 1))  # averaged by hand, every other step
    descent = torch.optim.SGD(local.parameters(), lr=0.1)
    for number, (x, y) in enumerate(DataLoader(mine, batch_size=4)):
        with local.no_sync():
            step(local, descent, x, y)
        if number % 2:
            for parameter in local.parameters():
                dist.all_reduce(parameter.data)
                parameter.data /= 2

    if rank == 0:
        torch.save(model.module.state_dict(), os.path.join(folder, "model.pt"))
    torch.save(optimizer.state_dict(), os.path.join(folder, f"optimizer-{rank}.pt"))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as shared:
        mp.spawn(work, args=(shared,), nprocs=2)
