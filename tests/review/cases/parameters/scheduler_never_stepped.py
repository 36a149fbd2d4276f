import torch
from torch import nn
from torch.optim import lr_scheduler


def train(model, optimizer, loader):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


def forgotten(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    decay = lr_scheduler.StepLR(optimizer, 10)  # TS508
    for _ in range(30):
        train(model, optimizer, loader)


def only_saved(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    annealing = lr_scheduler.CosineAnnealingLR(optimizer, 30)  # TS508
    for _ in range(30):
        train(model, optimizer, loader)
        print(annealing.get_last_lr())
    torch.save(annealing.state_dict(), "schedule.pt")


def stepped(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, 30)  # safe: stepped
    for _ in range(30):
        train(model, optimizer, loader)
        cosine.step()


def given_away(model, loader, loop):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    exponential = lr_scheduler.ExponentialLR(optimizer, 0.9)  # safe: another function has it
    for _ in range(3):
        loop(model, optimizer, exponential, loader)


def combined(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    warm = lr_scheduler.LinearLR(optimizer)  # safe: a part of the one below
    rest = lr_scheduler.ConstantLR(optimizer)
    both = lr_scheduler.SequentialLR(optimizer, [warm, rest], [5])
    for _ in range(30):
        train(model, optimizer, loader)
        both.step()


def configure(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    linear = lr_scheduler.LinearLR(optimizer)  # safe: returned
    return [optimizer], [linear]
