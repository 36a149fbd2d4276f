import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_


def after(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        clip_grad_norm_(model.parameters(), 1.0)  # TS111


def cleared_late(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        clip_grad_value_(model.parameters(), 1.0)  # TS111
        optimizer.zero_grad()


def before(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # TS111
        loss.backward()
        optimizer.step()


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())

    def clip(self):
        clip_grad_norm_(self.model.parameters(), 1.0)  # TS111

    def update(self, loss):
        self.optimizer.zero_grad()
        self.clip()
        loss.backward()
        self.optimizer.step()

    def fit(self, loader):
        for x, y in loader:
            self.update(nn.functional.mse_loss(self.model(x), y))


def accumulation(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i, (x, y) in enumerate(loader):
        (nn.functional.mse_loss(model(x), y) / 4).backward()
        if (i + 1) % 4 == 0:
            clip_grad_norm_(model.parameters(), 1.0)  # safe: before the step
            optimizer.step()
            optimizer.zero_grad()


def two_optimizers(actor, critic, loader):
    first = torch.optim.Adam(actor.parameters())
    second = torch.optim.Adam(critic.parameters())
    for x in loader:
        first.zero_grad()
        second.zero_grad()
        (actor(x).mean() + critic(x).mean()).backward()
        clip_grad_norm_(actor.parameters(), 1.0)  # safe
        first.step()
        clip_grad_norm_(critic.parameters(), 1.0)  # safe: the critic steps after it
        second.step()


def late_step(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        clip_grad_norm_(model.parameters(), 1.0)  # safe: gradients of the round before
        optimizer.step()
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()


def by_hand(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        gradients = torch.autograd.grad(nn.functional.mse_loss(model(x), y), list(model.parameters()))
        for p, g in zip(model.parameters(), gradients):
            p.grad = g
        clip_grad_norm_(model.parameters(), 1.0)  # safe: gradients are set by hand
        optimizer.step()
        optimizer.zero_grad()


def measured(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        nn.functional.mse_loss(model(x), y).backward()
        norm = clip_grad_norm_(model.parameters(), 1.0)  # safe
        if norm.isfinite():
            optimizer.step()
        optimizer.zero_grad()
