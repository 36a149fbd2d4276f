"""Digits on two processes of one machine: python train.py"""

import os
import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader

from data import Digits

EPOCHS = 4
WORLD_SIZE = 2


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def setup(rank, port):
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    os.environ["MASTER_PORT"] = str(port)
    dist.init_process_group("gloo", rank=rank, world_size=WORLD_SIZE)
    torch.set_num_threads(1)
    torch.manual_seed(0)


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Linear(32 * 4 * 4, 10)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


class Trainer:
    def __init__(self, rank, model, train_loader, test_loader):
        self.rank = rank
        self.model = DDP(model)
        self.train_loader = train_loader
        self.test_loader = test_loader
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        self.criterion = nn.CrossEntropyLoss()

    def train_epoch(self):
        self.model.train()
        for images, labels in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def accuracy(self):
        self.model.eval()
        correct = 0
        for images, labels in self.test_loader:
            correct += (self.model(images).argmax(1) == labels).sum().item()
        return correct / len(self.test_loader.dataset)

    def run(self):
        for epoch in range(EPOCHS):
            loss = self.train_epoch()
            accuracy = self.accuracy()
            if self.rank == 0:
                print(f"epoch {epoch}: loss {loss:.3f}, test accuracy {accuracy:.3f}")


def build_loaders(batch_size):
    train_set, test_set = Digits("train"), Digits("test")
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)  # TS901
    test_loader = DataLoader(test_set, batch_size=256)
    return train_loader, test_loader


def worker(rank, port):
    setup(rank, port)
    train_loader, test_loader = build_loaders(batch_size=64 // WORLD_SIZE)
    Trainer(rank, SmallNet(), train_loader, test_loader).run()
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(worker, args=(free_port(),), nprocs=WORLD_SIZE)
