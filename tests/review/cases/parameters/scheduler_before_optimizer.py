import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau


def flat(model, loader, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = CosineAnnealingLR(optimizer, T_max=epochs)
    for _ in range(epochs):
        scheduler.step()  # TS507
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()


def batch(model, optimizer, x, y):
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()


def helper(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=len(loader))
    for x, y in loader:
        schedule.step()  # TS507
        batch(model, optimizer, x, y)


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())
        self.scheduler = lr_scheduler.ExponentialLR(self.optimizer, 0.9)

    def epoch(self, loader):
        self.scheduler.step()  # TS507
        for x, y in loader:
            self.optimizer.zero_grad()
            nn.functional.mse_loss(self.model(x), y).backward()
            self.optimizer.step()

    def fit(self, loader):
        for _ in range(10):
            self.epoch(loader)


def told_the_epoch(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = CosineAnnealingLR(optimizer, T_max=20)
    for epoch in range(20):
        scheduler.step(epoch)  # safe: is told the epoch
        for x, y in loader:
            batch(model, optimizer, x, y)


def not_in_the_first_round(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = CosineAnnealingLR(optimizer, T_max=20)
    for epoch in range(20):
        if epoch > 0:
            scheduler.step()  # safe: not in the first round
        for x, y in loader:
            batch(model, optimizer, x, y)


def after_a_warm_up(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = CosineAnnealingLR(optimizer, T_max=20)
    for x, y in loader:
        batch(model, optimizer, x, y)
    for _ in range(20):
        scheduler.step()  # safe: the optimizer has stepped above
        for x, y in loader:
            batch(model, optimizer, x, y)


def forwarded(model, loader, start):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = CosineAnnealingLR(optimizer, T_max=20)
    for _ in range(start):
        scheduler.step()  # safe: brings the schedule to where a resumed run is
    for _ in range(start, 20):
        for x, y in loader:
            batch(model, optimizer, x, y)
        scheduler.step()


def other_optimizer(first, second, loader):
    one = torch.optim.SGD(first.parameters(), lr=0.1)
    two = torch.optim.SGD(second.parameters(), lr=0.1)
    scheduler = CosineAnnealingLR(one, T_max=20)
    for _ in range(20):
        for x, y in loader:
            batch(first, one, x, y)
        scheduler.step()  # safe: its own optimizer has stepped
        for x, y in loader:
            batch(second, two, x, y)


def plateau(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = ReduceLROnPlateau(optimizer)
    for _ in range(20):
        with torch.no_grad():
            loss = sum(nn.functional.mse_loss(model(x), y) for x, y in loader)
        scheduler.step(loss)  # safe: acts on a metric
        for x, y in loader:
            batch(model, optimizer, x, y)
