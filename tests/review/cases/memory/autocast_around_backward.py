import torch
from torch import nn
from torch import autocast


def flat(model, loader, optimizer, criterion, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        with autocast("cuda"):
            loss = criterion(model(x), y)
            scaler.scale(loss).backward()  # TS710
        scaler.step(optimizer)
        scaler.update()


def nested(model, loader, optimizer):
    with torch.autocast("cuda", dtype=torch.bfloat16):
        for x in loader:
            if len(x) > 1:
                optimizer.zero_grad()
                model(x).mean().backward()  # TS710
                optimizer.step()


def back(loss, optimizer):
    optimizer.zero_grad()
    loss.backward()  # TS710
    optimizer.step()


def through_helper(x):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.amp.autocast("cuda"):
        back(model(x).mean(), optimizer)


class Trainer:
    def __init__(self):
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    @autocast("cuda")
    def step(self, x):
        self.optimizer.zero_grad()
        self.model(x).mean().backward()  # TS710
        self.optimizer.step()

    def right(self, x):
        self.optimizer.zero_grad()
        with autocast("cuda"):
            loss = self.model(x).mean()
        loss.backward()  # safe: outside of the block
        self.optimizer.step()


def switched_off(model, x):
    with autocast("cuda"):
        hidden = model(x)
        with autocast("cuda", enabled=False):
            hidden.float().mean().backward()  # safe: switched off here


def defined_in_it(model, optimizer, x):
    with autocast("cuda"):
        hidden = model(x)

        def closure():
            hidden.mean().backward()  # safe: runs later

    optimizer.step(closure)


def another_block(model, x, timer):
    with timer():
        model(x).mean().backward()  # safe: no autocast
