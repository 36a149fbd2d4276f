import torch
from torch import nn
from torch.nn import functional as F


def named(model, loader, optimizer, accumulate=4):
    criterion = nn.CrossEntropyLoss()
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        loss.backward()  # TS109
        if (i + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()


class Trainer:
    def __init__(self):
        self.every = 8
        self.model = nn.Linear(4, 2)
        self.optimizer = torch.optim.Adam(self.model.parameters())

    def fit(self, loader):
        for i, (x, y) in enumerate(loader):
            F.cross_entropy(self.model(x), y).backward()  # TS109
            if i % self.every == self.every - 1:
                self.optimizer.step()
                self.optimizer.zero_grad()


def divided(model, loader, optimizer, steps=4):
    for i, (x, y) in enumerate(loader):
        loss = F.cross_entropy(model(x), y)
        loss = loss / steps
        loss.backward()  # safe: divided
        if (i + 1) % steps == 0:
            optimizer.step()
            optimizer.zero_grad()


def summed(model, loader, optimizer):
    criterion = nn.MSELoss(reduction="sum")
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        loss.backward()  # safe: a sum
        if (i + 1) % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()


def averaged_gradients(model, loader, optimizer, parts=4):
    for i, (x, y) in enumerate(loader):
        loss = F.mse_loss(model(x), y)
        loss.backward()  # safe: the gradients are divided before the step
        if (i + 1) % parts == 0:
            for p in model.parameters():
                p.grad /= parts
            optimizer.step()
            optimizer.zero_grad()


def delayed(model, loader, optimizer):
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()  # safe: cleared in each round
        if i % 2 == 0:
            optimizer.step()
