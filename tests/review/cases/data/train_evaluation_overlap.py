"""Loaders that share samples with the training loader, in the shapes in which people write them."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset, SubsetRandomSampler, TensorDataset, random_split
from torchvision import datasets, transforms

augment = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToTensor()])
plain = transforms.ToTensor()


def copied(batch):
    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(digits.data, digits.target)
    x_train, x_test = torch.tensor(x_train).float(), torch.tensor(x_test).float()
    train_loader = DataLoader(TensorDataset(x_train, torch.tensor(y_train)), batch, shuffle=True)
    val_loader = DataLoader(TensorDataset(x_train, torch.tensor(y_train)), batch)  # TS403
    test_loader = DataLoader(TensorDataset(x_test, torch.tensor(y_test)), batch)  # safe: the other part
    return train_loader, val_loader, test_loader


def twice(train_transform, batch):
    train_set = datasets.CIFAR10(root="data", train=True, transform=train_transform, download=True)
    valid_set = datasets.CIFAR10("data", True, transform=plain)
    train_loader = DataLoader(train_set, batch_size=batch, shuffle=True)
    valid_loader = DataLoader(valid_set, batch_size=batch)  # TS403
    return train_loader, valid_loader


def by_index(batch):
    train_set = datasets.CIFAR10(root="data", train=True, transform=augment)
    valid_set = datasets.CIFAR10(root="data", train=True, transform=plain)
    order = np.random.permutation(len(train_set))
    train_idx, valid_idx = order[5000:], order[:5000]
    train_loader = DataLoader(train_set, batch, sampler=SubsetRandomSampler(train_idx))
    valid_loader = DataLoader(valid_set, batch, sampler=SubsetRandomSampler(valid_idx))  # safe: other indices
    return train_loader, valid_loader


def sampler_forgotten(batch):
    data = datasets.CIFAR10(root="data", train=True, transform=plain)
    order = torch.randperm(len(data)).tolist()
    valid_sampler = SubsetRandomSampler(order[:5000])
    train_loader = DataLoader(data, batch, shuffle=True)
    valid_loader = DataLoader(data, batch, sampler=valid_sampler)  # TS403
    return train_loader, valid_loader


def same_indices(data, order, batch):
    train_idx = order[:800]
    train_loader = DataLoader(Subset(data, train_idx), batch, shuffle=True)
    test_loader = DataLoader(Subset(data, train_idx), batch)  # TS403
    return train_loader, test_loader


def slices(x, y, batch):
    train_loader = DataLoader(TensorDataset(x[:800], y[:800]), batch, shuffle=True)
    test_loader = DataLoader(TensorDataset(x[700:], y[700:]), batch)  # TS403
    return train_loader, test_loader


def slices_apart(x, y, cut, batch):
    train_loader = DataLoader(TensorDataset(x[:800], y[:800]), batch, shuffle=True)
    val_loader = DataLoader(TensorDataset(x[800:900], y[800:900]), batch)  # safe: apart
    test_loader = DataLoader(TensorDataset(x[900:], y[900:]), batch)  # safe: apart
    early = DataLoader(TensorDataset(x[:cut], y[:cut]), batch, shuffle=True)
    late_test = DataLoader(TensorDataset(x[cut:], y[cut:]), batch)  # safe: cut in two
    return train_loader, val_loader, test_loader, early, late_test


def measured(data, batch):
    train_loader = DataLoader(data, batch, shuffle=True)
    train_eval_loader = DataLoader(data, batch)  # safe: training accuracy, as the name says
    return train_loader, train_eval_loader


def overfitted(data, batch):
    train_loader = DataLoader(data, batch, shuffle=True)
    overfit_val_loader = DataLoader(data, batch)  # safe: meant
    return train_loader, overfit_val_loader


def split(name):
    return datasets.SVHN("data", split=name, transform=plain)


def by_split(batch):
    train_loader = DataLoader(split("train"), batch, shuffle=True)
    test_loader = DataLoader(split("test"), batch)  # safe: another part of it
    return train_loader, test_loader


class Switched(Dataset):
    def __init__(self, parts):
        self.parts, self.current = parts, "train"

    def set_split(self, name):
        self.current = name

    def __len__(self):
        return len(self.parts[self.current])

    def __getitem__(self, index):
        return self.parts[self.current][index]


def switched(parts, model, batch):
    data = Switched(parts)
    train_loader = DataLoader(data, batch, shuffle=True)
    test_loader = DataLoader(data, batch)  # safe: the data set is switched
    data.set_split("train")
    model(next(iter(train_loader)))
    data.set_split("test")
    model(next(iter(test_loader)))


class Sums(Dataset):
    def __len__(self):
        return 1000

    def __getitem__(self, index):
        x = torch.rand(2)
        return x, x.sum()


def generated(batch):
    data = Sums()
    train_loader = DataLoader(data, batch)
    test_loader = DataLoader(data, batch)  # safe: new samples each time
    return train_loader, test_loader


class Module:
    def __init__(self, data):
        self.train_set, self.val_set = random_split(data, [0.8, 0.2])

    def train_dataloader(self):
        return DataLoader(self.train_set, batch_size=32, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.train_set, batch_size=32)  # TS403

    def test_dataloader(self):
        return DataLoader(self.val_set, batch_size=32)  # safe: the other part


class Trainer:
    def __init__(self, data, model):
        train_set, valid_set = random_split(data, [0.8, 0.2])
        self.model = model
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
        self.valid_loader = DataLoader(train_set, batch_size=32)  # TS403

    def fit(self):
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            self.criterion(self.model(x), y).backward()
            self.optimizer.step()


def evaluate(model, loader):
    with torch.no_grad():
        return sum((model(x).argmax(1) == y).sum().item() for x, y in loader)


def mixed_up(model, train_loader, val_loader, bank):
    train_acc = evaluate(model, train_loader)  # safe: a training score
    val_acc = evaluate(model, train_loader)  # TS403
    val_acc = evaluate(model, val_loader)
    test_acc = bank.evaluate(model, train_loader, val_loader)  # safe: neighbours in the training data
    return train_acc, val_acc, test_acc


def nothing_else(model, train_loader):
    test_acc = evaluate(model, train_loader)  # safe: no other data that could be meant
    return test_acc


class Data:
    def __init__(self, paths, shuffle):
        self.dataset = Subset(paths, range(100))
        self.rows = Switched(paths)
        self.loader = DataLoader(self.rows, batch_size=8, shuffle=shuffle)


def two_of_a_class(model, optimizer, train_paths, test_paths):
    train_data, test_data = Data(train_paths, True), Data(test_paths, False)
    for x, y in train_data.loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        for x, y in test_data.loader:  # safe: each object has data of its own
            model(x)
