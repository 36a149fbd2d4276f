import math

import torch


def skipped(model, loader, optimizer, criterion):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        if torch.isnan(loss) or torch.isinf(loss):  # TS605
            optimizer.zero_grad()
            continue
        loss.backward()
        optimizer.step()


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())

    def train(self, loader, criterion):
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = criterion(self.model(x), y)
            if not torch.isfinite(loss).all():  # TS605
                del loss
                continue
            loss.backward()
            self.optimizer.step()

    def hidden(self, loader, criterion):
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = criterion(self.model(x), y)
            loss = torch.nan_to_num(loss)  # TS605
            loss.backward()
            self.optimizer.step()


def told(model, loader, optimizer, criterion):
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        if math.isnan(loss.item()):  # safe: it is said
            print("NaN in batch", i)
            continue
        loss.backward()
        optimizer.step()


def counted(model, loader, optimizer, criterion):
    bad = 0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        if torch.isnan(loss):  # safe: counted
            bad += 1
            continue
        loss.backward()
        optimizer.step()
    return bad


def stopped(model, loader, optimizer, criterion):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        if not torch.isfinite(loss):  # safe: training ends
            raise FloatingPointError(loss)
        loss.backward()
        optimizer.step()


def bad_samples(model, loader, optimizer, criterion):
    for x, y in loader:
        if torch.isnan(x).any():  # safe: missing data is left out
            continue
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()


def evaluated(model, loader, criterion):
    total = 0
    for x, y in loader:
        loss = criterion(model(x), y)
        if torch.isnan(loss):  # safe: no training here
            continue
        total += loss.item()
    return total


def features(model, loader, optimizer, criterion):
    for x, y in loader:
        x = torch.nan_to_num(x)  # safe: missing values in the data
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
