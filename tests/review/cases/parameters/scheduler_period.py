import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

EPOCHS = 60


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()


def step_size(model, data):
    loader = DataLoader(data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.StepLR(optimizer, step_size=20, gamma=0.1)
    for _ in range(EPOCHS):
        for x, y in loader:
            step(model, optimizer, x, y)
            scheduler.step()  # TS509


def milestones(model, data):
    loader = DataLoader(data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.MultiStepLR(optimizer, [20, 40])
    for _ in range(1, EPOCHS + 1):
        for i, (x, y) in enumerate(loader):
            step(model, optimizer, x, y)
            scheduler.step()  # TS509


def one_cycle(model, data, args):
    loader = DataLoader(data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, steps_per_epoch=len(loader), epochs=args.epochs
    )
    for _ in range(args.epochs):
        for x, y in loader:
            step(model, optimizer, x, y)
        scheduler.step()  # TS509


class Trainer:
    def __init__(self, model, data, epochs):
        self.model = model
        self.epochs = epochs
        self.loader = DataLoader(data)
        self.optimizer = torch.optim.Adam(model.parameters())
        self.scheduler = lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=self.epochs)

    def epoch(self):
        for x, y in self.loader:
            step(self.model, self.optimizer, x, y)
            self.scheduler.step()  # TS509

    def fit(self):
        for _ in range(self.epochs):
            self.epoch()


def batches_by_batch(model, data, epochs):
    loader = DataLoader(data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    total = epochs * len(loader)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=total)
    for _ in range(epochs):
        for x, y in loader:
            step(model, optimizer, x, y)
            scheduler.step()  # safe: counts batches, and is stepped for each


def one_cycle_of_epochs(model, data, epochs):
    loader = DataLoader(data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=epochs)
    for _ in range(epochs):
        for x, y in loader:
            step(model, optimizer, x, y)
        scheduler.step()  # safe: counts epochs, and is stepped for each


def at_the_end_of_an_epoch(model, data):
    loader = DataLoader(data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.StepLR(optimizer, step_size=20)
    for _ in range(EPOCHS):
        for i, (x, y) in enumerate(loader):
            step(model, optimizer, x, y)
            if i == len(loader) - 1:
                scheduler.step()  # safe: once in an epoch


def long_steps(model, data):
    loader = DataLoader(data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.StepLR(optimizer, step_size=5000)
    for _ in range(EPOCHS):
        for x, y in loader:
            step(model, optimizer, x, y)
            scheduler.step()  # safe: a number that may well be of batches


def restarts(model, data):
    loader = DataLoader(data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=10)
    for epoch in range(EPOCHS):
        for i, (x, y) in enumerate(loader):
            step(model, optimizer, x, y)
            scheduler.step(epoch + i / len(loader))  # safe: told a part of an epoch


def one_loop(model, data, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    for _ in range(steps):
        x, y = data.sample()
        step(model, optimizer, x, y)
        scheduler.step()  # safe: one loop of as many steps
