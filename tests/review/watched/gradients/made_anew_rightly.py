"""Optimizers that are made again, rightly."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))


def train(model, loader, epochs=1):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()


def folds():
    loader = DataLoader(data, batch_size=16)
    for _ in range(5):
        train(nn.Linear(4, 1), loader)  # safe: a new model


def restarts():
    model, loader = nn.Linear(4, 1), DataLoader(data, batch_size=16)
    for _ in range(5):
        train(model, loader, epochs=2)  # safe: cycles, each of some epochs


def clients():
    shared, local = nn.Linear(4, 1), nn.Linear(4, 1)
    loader = DataLoader(data, batch_size=16)
    for _ in range(5):
        for mine, theirs in zip(local.parameters(), shared.parameters()):
            mine.data.copy_(theirs.data)
        train(local, loader)  # safe: set back before
        for mine, theirs in zip(local.parameters(), shared.parameters()):
            theirs.data.lerp_(mine.data, 0.1)


def tasks():
    model = nn.Linear(4, 1)
    for _ in range(5):
        train(model, DataLoader(data, batch_size=16))  # safe: other data


def starting_points():
    model, loader = nn.Linear(4, 1), DataLoader(data, batch_size=16)
    start = copy.deepcopy(model.state_dict())
    for _ in range(5):
        model.load_state_dict(start)
        train(model, loader)  # safe: from the start again


def without_memory():
    model, loader = nn.Linear(4, 1), DataLoader(data, batch_size=16)
    for x, y in loader:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # safe: it has nothing to forget
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


for part in (folds, restarts, clients, tasks, starting_points, without_memory):
    part()
