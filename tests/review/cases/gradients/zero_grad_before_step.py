import torch
from torch import nn


def flat(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.zero_grad()  # TS102
        optimizer.step()


def model_cleared(loader):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        model.zero_grad()  # TS102
        optimizer.step()


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def update(self):
        self.optimizer.zero_grad()  # TS102
        self.optimizer.step()

    def fit(self, loader):
        for x, y in loader:
            nn.functional.mse_loss(self.model(x), y).backward()
            self.update()


def other_optimizer(generator, discriminator, loader):
    first = torch.optim.Adam(generator.parameters())
    second = torch.optim.Adam(discriminator.parameters())
    for x in loader:
        first.zero_grad()
        discriminator(generator(x)).mean().backward()
        second.zero_grad()  # safe: another optimizer
        first.step()
        discriminator(x).mean().backward()
        second.step()


def second_backward(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for x, y in loader:
        model(x).sum().backward()
        optimizer.zero_grad()  # safe: the next backward is the one that counts
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


def accumulation(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for i, (x, y) in enumerate(loader):
        if i % 4 == 0:
            optimizer.zero_grad()  # safe: before the backward
        nn.functional.mse_loss(model(x), y).backward()
        if i % 4 == 3:
            optimizer.step()


def closure(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for x, y in loader:

        def evaluate():
            optimizer.zero_grad()  # safe: the closure goes back afterwards
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        evaluate()
        optimizer.step(evaluate)
