import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch.utils.data import TensorDataset


def both_apart(X, y):
    X = X[np.random.permutation(len(X))]  # TS408
    y = y[np.random.permutation(len(y))]
    return train_test_split(X, y)


class Loader:
    def __init__(self, X, y):
        self.data = TensorDataset(X, y[torch.randperm(len(y))])  # TS408


def together(X, y):
    order = np.random.permutation(len(X))
    X, y = X[order], y[order]  # safe: one order
    return train_test_split(X, y)


def made_after(X):
    X = X[torch.randperm(len(X))]  # safe: the targets are made from the shuffled inputs
    y = X.sum(dim=1)
    return TensorDataset(X, y)


def mixup(X, y, weight):
    mixed = weight * X + (1 - weight) * X[torch.randperm(len(X))]  # safe: mixed, not put in its place
    return TensorDataset(mixed, y)


def columns(X, y):
    X = X[:, torch.randperm(X.shape[1])]  # safe: columns
    return TensorDataset(X, y)


def unpaired(photos, paintings):
    return TensorDataset(photos, paintings[torch.randperm(len(paintings))])  # safe: no targets


def null_model(X, y):
    y_permuted = y[torch.randperm(len(y))]  # safe: the name says that it is meant
    return TensorDataset(X, y_permuted)
