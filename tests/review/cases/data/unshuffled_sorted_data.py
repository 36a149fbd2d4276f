"""Loaders over data that is sorted by class, in the shapes in which people write them."""

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset, WeightedRandomSampler
from torchvision import datasets, transforms

transform = transforms.ToTensor()
model = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def train(model, loader, optimizer):
    for batch, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def evaluate(model, loader):
    return sum((model(x).argmax(1) == y).sum().item() for x, y in loader)


def folders():
    train_data = datasets.ImageFolder("data/train", transform=transform)
    test_data = datasets.ImageFolder("data/test", transform=transform)
    train_loader = DataLoader(train_data, batch_size=32, shuffle=False, num_workers=4)  # TS401
    test_loader = DataLoader(test_data, batch_size=32)  # safe: nothing learns from the order
    train(model, train_loader, optimizer)
    return evaluate(model, test_loader)


def iris(whole: bool):
    x, y = load_iris(return_X_y=True)
    x = torch.tensor(x, dtype=torch.float32)
    y = torch.tensor(y, dtype=torch.long)
    loader = DataLoader(TensorDataset(x, y), batch_size=16)  # TS401
    everything = DataLoader(TensorDataset(x, y), batch_size=len(x))  # safe: one batch of all
    train(model, everything if whole else loader, optimizer)
    for data in loader:
        inputs, labels = data
        criterion(model(inputs), labels).backward()


def iris_split():
    iris = load_iris()
    x_train, x_test, y_train, y_test = train_test_split(iris.data, iris.target)
    data = TensorDataset(torch.tensor(x_train).float(), torch.tensor(y_train))
    loader = DataLoader(data, batch_size=16)  # safe: train_test_split shuffles
    train(model, loader, optimizer)


def stacked():
    x = np.vstack([np.random.randn(50, 2), np.random.randn(50, 2) + 2])
    y = np.array([0] * 50 + [1] * 50)
    data = TensorDataset(torch.from_numpy(x).float(), torch.from_numpy(y))
    loader = DataLoader(data, batch_size=10)  # TS401
    train(model, loader, optimizer)


def repeated():
    x = torch.randn(300, 2)
    y = torch.arange(3).repeat_interleave(100)
    loader = DataLoader(TensorDataset(x, y), batch_size=10)  # TS401
    train(model, loader, optimizer)
    same = torch.cat([torch.zeros(10), torch.zeros(20)]).long()
    other = DataLoader(TensorDataset(x, same), batch_size=10)  # safe: one class only
    train(model, other, optimizer)


def sampled(weights):
    data = datasets.ImageFolder("data/train", transform=transform)
    sampler = WeightedRandomSampler(weights, len(weights))
    train(model, DataLoader(data, batch_size=8, sampler=sampler), optimizer)  # safe: the sampler draws


def chosen(indices):
    data = Subset(datasets.ImageFolder("data/train", transform=transform), indices)
    train(model, DataLoader(data, batch_size=8), optimizer)  # safe: the indices may be in any order


def style(network):
    data = datasets.ImageFolder("data/coco", transform=transform)
    loader = DataLoader(data, batch_size=4)  # safe: the classes are not used
    for x, _ in loader:
        optimizer.zero_grad()
        (network(x) - x).pow(2).mean().backward()
        optimizer.step()


class Trainer:
    def __init__(self, path):
        table = pd.read_csv(path).sort_values("label")
        inputs = torch.tensor(table[["a", "b"]].values).float()
        data = TensorDataset(inputs, torch.tensor(table["label"].values))
        self.loader = DataLoader(data, batch_size=8)  # TS401

    def fit(self):
        for x, y in self.loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()


class Series:
    def __init__(self, path):
        table = pd.read_csv(path).sort_values("date")
        inputs = torch.tensor(table[["a", "b"]].values).float()
        data = TensorDataset(inputs, torch.tensor(table["label"].values))
        self.loader = DataLoader(data, batch_size=8)  # safe: in the order of time

    def fit(self):
        for x, y in self.loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
