"""Gradients that are added up as they should be."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))


def loader():
    return DataLoader(data, batch_size=8, shuffle=True)


def divided():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number, (x, y) in enumerate(loader()):
        loss = nn.functional.mse_loss(model(x), y) / 2
        loss.backward()
        if number % 2:
            optimizer.step()
            optimizer.zero_grad()


def gradients_divided():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number, (x, y) in enumerate(loader()):
        nn.functional.mse_loss(model(x), y).backward()  # safe: divided below
        if number % 2:
            for parameter in model.parameters():
                parameter.grad /= 2
            optimizer.step()
            optimizer.zero_grad()


def sums():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    for number, (x, y) in enumerate(loader()):
        nn.functional.mse_loss(model(x), y, reduction="sum").backward()  # safe: samples count alike
        if number % 2:
            optimizer.step()
            optimizer.zero_grad()


def tasks():
    body, heads = nn.Linear(4, 4), [nn.Linear(4, 1) for _ in range(3)]
    parameters = [*body.parameters(), *(one for head in heads for one in head.parameters())]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    for x, y in loader():
        optimizer.zero_grad()
        for head in heads:
            nn.functional.mse_loss(head(body(x)), y).backward()  # safe: several tasks, one batch
        optimizer.step()


def adaptive():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    for number, (x, y) in enumerate(loader()):
        nn.functional.mse_loss(model(x), y).backward()  # safe: the step's size does not depend on the sum's
        if number % 2:
            optimizer.step()
            optimizer.zero_grad()


for part in (divided, gradients_divided, sums, tasks, adaptive):
    part()
