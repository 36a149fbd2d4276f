"""Prices of houses: one row for each sale, the price in the last column."""

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import Dataset


class Houses(Dataset):
    def __init__(self, features, prices):
        self.features = torch.tensor(features, dtype=torch.float32)
        self.prices = torch.tensor(prices, dtype=torch.float32).unsqueeze(1)

    def __len__(self):
        return len(self.prices)

    def __getitem__(self, index):
        return self.features[index], self.prices[index]


def read(path):
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    features = table[:, 1:]  # TS411
    prices = table[:, -1]
    return features, prices


def prepare(path, seed=0):
    features, prices = read(path)
    X_train, X_test, y_train, y_test = train_test_split(features, prices, test_size=0.25, random_state=seed)
    scaler = StandardScaler().fit(X_train)
    mean, deviation = y_train.mean(), y_train.std()
    train = Houses(scaler.transform(X_train), (y_train - mean) / deviation)
    test = Houses(scaler.transform(X_test), (y_test - mean) / deviation)
    return train, test
