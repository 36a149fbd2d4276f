import torch
from torch import nn


def before(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        optimizer.step()  # TS104
        loss.backward()


def cleared_at_the_end(loader):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.step()  # TS104
        loss.backward()
        model.zero_grad()


def never(model, loader):
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        optimizer.step()  # TS104
        print(loss.item())


def apply(optimizer, loss):
    optimizer.step()  # TS104
    loss.backward()


def helper(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        apply(optimizer, nn.functional.mse_loss(model(x), y))


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())

    def clear(self):
        self.optimizer.zero_grad()

    def fit(self, loader):
        for x, y in loader:
            self.clear()
            loss = nn.functional.mse_loss(self.model(x), y)
            self.optimizer.step()  # TS104
            loss.backward()


def late_step(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.step()  # safe: uses the gradients of the round before
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()


def accumulation(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i, (x, y) in enumerate(loader):
        if i % 4 == 0:
            optimizer.step()  # safe: gradients of four rounds
            optimizer.zero_grad()
        (nn.functional.mse_loss(model(x), y) / 4).backward()


def gan(generator, discriminator, loader):
    first = torch.optim.Adam(generator.parameters())
    second = torch.optim.Adam(discriminator.parameters())
    for real in loader:
        first.zero_grad()
        second.zero_grad()
        (discriminator(generator(real)) - discriminator(real)).mean().backward()
        first.step()  # safe: one backward for both
        second.step()


def closure(model, loader):
    optimizer = torch.optim.LBFGS(model.parameters())
    for x, y in loader:

        def evaluate():
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        optimizer.step(evaluate)  # safe: the closure goes back


def by_hand(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        for p, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters()))):
            p.grad = g
        optimizer.step()  # safe: gradients are set by hand


def unknown_loss(model, loader, compute):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        compute(x, y)
        optimizer.step()  # safe: what compute does cannot be seen


def inner_loop(model, loader, parts):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        for part in range(parts):
            nn.functional.mse_loss(model(x[part]), y[part]).backward()
        optimizer.step()  # safe: an inner loop goes back


def rates_of_a_schedule(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 20, gamma=0.5)
    rates = []
    for _ in range(200):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.zero_grad()
        optimizer.step()  # safe: there is nothing to learn, the rates are looked at
        scheduler.step()
    return rates


def scheduled_without_backward(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 20, gamma=0.5)
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.step()  # TS104
        scheduler.step()
        print(loss)
