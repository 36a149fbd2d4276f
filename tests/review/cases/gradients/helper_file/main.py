import torch
from engine import Wrapper, train_one_epoch, train_step


def main(loader):
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        train_one_epoch(model, loader, optimizer)  # TS101


def steps(loader):
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        train_step(model, optimizer, x, y)  # TS101


def wrapped(loader):
    model = torch.nn.Linear(4, 1)
    optimizer = Wrapper(torch.optim.Adam(model.parameters()))
    for x, y in loader:
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()  # safe: the wrapper clears
