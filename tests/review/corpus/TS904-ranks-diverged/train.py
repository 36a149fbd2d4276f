"""Fine-tuning on two processes, from weights that were trained on another rotation: python train.py"""

import math
import os
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

WORLD_SIZE = 2


def build():
    return nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 2))


def moons(count, rotation, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    angle = math.pi * torch.rand(count, generator=generator)
    points = torch.stack([angle.cos(), angle.sin()], 1)
    points[labels == 1] = torch.tensor([1.0, 0.5]) - points[labels == 1]
    turn = torch.tensor([[math.cos(rotation), -math.sin(rotation)], [math.sin(rotation), math.cos(rotation)]])
    noise = 0.1 * torch.randn(count, 2, generator=generator)
    return TensorDataset((points + noise) @ turn, labels)


def epoch_of(model, loader, optimizer):
    model.train()
    total = torch.zeros(())
    for points, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(points), labels)
        loss.backward()
        optimizer.step()
        total += loss.detach()
    return (total / len(loader)).item()


def pretrain(path):
    torch.manual_seed(0)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(moons(400, rotation=0.0, seed=1), batch_size=40, shuffle=True)
    for _ in range(5):
        epoch_of(model, loader, optimizer)
    torch.save(model.state_dict(), path)


def worker(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORLD_SIZE)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = DistributedDataParallel(build())  # TS904
    if rank == 0:
        model.module.load_state_dict(torch.load(os.path.join(folder, "pretrained.pt")))

    data = moons(400, rotation=0.4, seed=2)
    sampler = DistributedSampler(data)
    loader = DataLoader(data, batch_size=20, sampler=sampler)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for epoch in range(4):
        sampler.set_epoch(epoch)
        loss = epoch_of(model, loader, optimizer)
        if rank == 0:
            print(f"epoch {epoch}: loss {loss:.3f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        pretrain(Path(folder, "pretrained.pt"))
        mp.spawn(worker, args=(folder,), nprocs=WORLD_SIZE)
