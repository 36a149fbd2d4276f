import os

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, random_split
from torch.utils.data.distributed import DistributedSampler
from torchvision import datasets, transforms


class Waves(Dataset):
    def __len__(self):
        return 1000

    def __getitem__(self, index):
        x = torch.linspace(0, 1, 20) + index
        return x, x.sin().sum().view(1)


class Stream(IterableDataset):
    def __iter__(self):
        while True:
            yield torch.randn(20), torch.randn(1)


class ShardedWaves(Waves):
    def __init__(self):
        self.first = dist.get_rank() * 1000


def run_epoch(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()


def worker(rank, world_size):
    dist.init_process_group("nccl", rank=rank, world_size=world_size)
    torch.cuda.set_device(rank)
    data = datasets.MNIST("data", train=True, download=rank == 0, transform=transforms.ToTensor())
    train_set, val_set = random_split(data, [50000, 10000])
    loader = DataLoader(train_set, batch_size=64 // world_size, shuffle=True, num_workers=4)  # TS901
    val_loader = DataLoader(val_set, batch_size=64)  # safe: not trained on
    model = DDP(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).cuda(rank), device_ids=[rank])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(2):
        model.train()
        for i, (x, y) in enumerate(loader):
            loss = criterion(model(x.cuda(rank)), y.cuda(rank))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            print(
                epoch,
                sum((model(x.cuda(rank)).argmax(1) == y.cuda(rank)).sum().item() for x, y in val_loader),
            )


class Trainer:
    def __init__(self, model, loader, optimizer, gpu_id):
        self.gpu_id = gpu_id
        self.loader = loader
        self.optimizer = optimizer
        self.model = DDP(model.to(gpu_id), device_ids=[gpu_id])

    def _run_batch(self, x, y):
        self.optimizer.zero_grad()
        loss = F.mse_loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()

    def train(self, epochs):
        for _ in range(epochs):
            for x, y in self.loader:
                self._run_batch(x.to(self.gpu_id), y.to(self.gpu_id))


def prepare_loader(data, batch_size):
    return DataLoader(data, batch_size=batch_size, shuffle=True, pin_memory=True)  # TS901


def main_trainer():
    dist.init_process_group("nccl")
    model = nn.Linear(20, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(model, prepare_loader(Waves(), 32), optimizer, int(os.environ["LOCAL_RANK"]))
    trainer.train(5)


def helper_loop():
    dist.init_process_group("nccl")
    loader = DataLoader(Waves(), 32, True)  # TS901
    model = nn.Linear(20, 1).cuda()
    model = DDP(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run_epoch(model, loader, optimizer)


def sampled():
    data = Waves()
    sampler = DistributedSampler(data)
    loader = DataLoader(data, 32, sampler=sampler)  # safe: each rank its own part
    model = DDP(nn.Linear(20, 1))
    run_epoch(model, loader, torch.optim.SGD(model.parameters(), lr=0.1))


def maybe_sampled(distributed):
    data = Waves()
    sampler = DistributedSampler(data) if distributed else None
    loader = DataLoader(data, 32, shuffle=sampler is None, sampler=sampler)  # safe: sampled where it matters
    model = DDP(nn.Linear(20, 1)) if distributed else nn.Linear(20, 1)
    run_epoch(model, loader, torch.optim.SGD(model.parameters(), lr=0.1))


def two_loaders(distributed):
    data = Waves()
    if distributed:
        loader = DataLoader(data, 32, sampler=DistributedSampler(data))
    else:
        loader = DataLoader(data, 32, shuffle=True)  # safe: one process
    model = nn.Linear(20, 1)
    if distributed:
        model = DDP(model)
    run_epoch(model, loader, torch.optim.SGD(model.parameters(), lr=0.1))


def subset(rank, world_size):
    data = Waves()
    mine = Subset(data, range(rank, len(data), world_size))
    loader = DataLoader(mine, 32, shuffle=True)  # safe: the rank's own part of the data
    model = DDP(nn.Linear(20, 1))
    run_epoch(model, loader, torch.optim.SGD(model.parameters(), lr=0.1))


def streamed():
    loader = DataLoader(Stream(), 32)  # safe: the stream decides what it gives to whom
    model = DDP(nn.Linear(20, 1))
    run_epoch(model, loader, torch.optim.SGD(model.parameters(), lr=0.1))


def sharded():
    loader = DataLoader(ShardedWaves(), 32)  # safe: the data set knows its rank
    model = DDP(nn.Linear(20, 1))
    run_epoch(model, loader, torch.optim.SGD(model.parameters(), lr=0.1))


def one_process():
    loader = DataLoader(Waves(), 32, shuffle=True)  # safe: no process but this one
    model = nn.Linear(20, 1)
    run_epoch(model, loader, torch.optim.SGD(model.parameters(), lr=0.1))


def skipping(rank, world_size):
    loader = DataLoader(Waves(), 32)  # safe: each rank takes its own batches
    model = DDP(nn.Linear(20, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i, (x, y) in enumerate(loader):
        if i % world_size != rank:
            continue
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()


def unknown(make_data):
    loader = DataLoader(make_data(), 32)  # safe: the data may be the rank's own
    model = DDP(nn.Linear(20, 1))
    run_epoch(model, loader, torch.optim.SGD(model.parameters(), lr=0.1))


def batches(data, make_sampler):
    loader = DataLoader(Waves(), batch_sampler=make_sampler(data))  # safe: a sampler of its own
    model = DDP(nn.Linear(20, 1))
    run_epoch(model, loader, torch.optim.SGD(model.parameters(), lr=0.1))


if __name__ == "__main__":
    mp.spawn(worker, args=(4,), nprocs=4)
