"""Handwritten digits, divided into three parts."""

import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Subset, TensorDataset


def load():
    digits = load_digits()
    inputs = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    return TensorDataset(inputs, torch.tensor(digits.target, dtype=torch.long))


def make_loaders(batch_size, seed=0):
    data = load()
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).tolist()
    train_part, valid_part, test_part = order[:1200], order[1200:1500], order[1500:]
    train_set = Subset(data, train_part)
    valid_set = Subset(data, valid_part)
    test_set = Subset(data, test_part)
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
    valid_loader = DataLoader(train_set, batch_size=256)  # TS403
    test_loader = DataLoader(test_set, batch_size=256)
    print(f"{len(train_set)} for training, {len(valid_set)} for validation, {len(test_set)} for the test")
    return train_loader, valid_loader, test_loader
