import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_


def plain_step(model, loader, criterion):
    optimizer = torch.optim.Adam(model.parameters())
    first = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = criterion(model(x), y)
        first.scale(loss).backward()
        clip_grad_norm_([torch.ones(1)], 1.0)  # safe: no step of the scaler follows, the step below is told
        first.update()


class Trainer:
    def __init__(self):
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.scaler = torch.amp.GradScaler("cuda")

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(x), y)
        self.scaler.scale(loss).backward()
        clip_grad_norm_(self.model.parameters(), 1.0)  # TS709
        self.scaler.step(self.optimizer)
        self.scaler.update()


class Switched:
    def __init__(self):
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.off = torch.amp.GradScaler("cuda", enabled=False)

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.model(x), y)
        self.off.scale(loss).backward()
        clip_grad_norm_(self.model.parameters(), 1.0)  # safe: this scaler does nothing
        self.off.step(self.optimizer)
        self.off.update()


def handed_on(model, loader, criterion, finish):
    optimizer = torch.optim.Adam(model.parameters())
    given = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        given.scale(criterion(model(x), y)).backward()
        given.step(optimizer)  # safe: `finish` may update it
        finish(given)


def plain_where_off(model, loader, criterion, half):
    optimizer = torch.optim.Adam(model.parameters())
    chosen = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        if half:
            chosen.scale(loss).backward()
            chosen.step(optimizer)
            chosen.update()
        else:
            loss.backward()
            optimizer.step()  # safe: nothing is scaled on this way
