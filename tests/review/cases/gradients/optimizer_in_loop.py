import torch
from torch import nn


def batches(loader):
    model = nn.Linear(4, 1)
    for x, y in loader:
        optimizer = torch.optim.Adam(model.parameters())  # TS117
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


def epochs(loader):
    model = nn.Linear(4, 1)
    for epoch in range(10):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)  # TS117
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()


class Trainer:
    def __init__(self):
        self.model = nn.Linear(4, 1)

    def fit(self, train_loader):
        for epoch in range(3):
            optimizer = torch.optim.AdamW(self.model.parameters())  # TS117
            for x, y in train_loader:
                loss = nn.functional.mse_loss(self.model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()


def folds(loaders):
    for loader in loaders:
        model = nn.Linear(4, 1)
        optimizer = torch.optim.Adam(model.parameters())  # safe: a new model too
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()


def clients(model, loaders, start):
    for client, loader in loaders.items():
        model.load_state_dict(start)
        optimizer = torch.optim.Adam(model.parameters())  # safe: federated clients start anew
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()


def decayed(loader):
    model, rate = nn.Linear(4, 1), 0.1
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for epoch in range(10):
        if epoch == 5:
            optimizer = torch.optim.Adam(model.parameters(), lr=rate / 10)  # safe: once
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()


def plain(loader):
    model = nn.Linear(4, 1)
    for x, y in loader:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # safe: plain SGD has no memory
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
