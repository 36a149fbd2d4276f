import numpy as np
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import train_test_split


def digits():
    data = load_digits()
    x = data.data.astype("float32")
    mean, std = x.mean(axis=0), x.std(axis=0)
    return (x - mean) / std, data.target  # TS604


def digits_by_name():
    data = load_digits()
    x = data.data.astype("float32")
    mean = x.mean(axis=0)
    std = x.std(axis=0)
    return (x - mean) / std  # TS604


def split():
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y)
    mean = np.mean(x_train, axis=0)
    deviation = np.std(x_train, axis=0)
    x_train = (x_train - mean) / deviation  # TS604
    x_test = (x_test - mean) / deviation  # TS604
    return torch.tensor(x_train), torch.tensor(x_test), y_train, y_test


class Agent:
    def __init__(self):
        self.rewards = []

    def normalised(self):
        returns = torch.tensor(self.rewards)
        return (returns - returns.mean()) / returns.std()  # TS604

    def guarded(self):
        returns = torch.tensor(self.rewards)
        return (returns - returns.mean()) / (returns.std() + 1e-8)  # safe: never 0


def one_row():
    x = torch.randn(1, 8)
    return (x - x.mean(0)) / x.std(0)  # TS604


def mended():
    x, _ = load_digits(return_X_y=True)
    mean = x.mean(axis=0)
    std = x.std(axis=0)
    std[std == 0] = 1
    return (x - mean) / std  # safe: constant columns stay


def chosen():
    x, _ = load_digits(return_X_y=True)
    x = x[:, x.std(axis=0) > 0]
    return (x - x.mean(axis=0)) / x.std(axis=0)  # safe: constant columns are left out


def noisy():
    x, _ = load_digits(return_X_y=True)
    x = x + np.random.randn(*x.shape)
    return (x - x.mean(axis=0)) / x.std(axis=0)  # safe: no column is constant any more


def over_all():
    x, _ = load_digits(return_X_y=True)
    return (x - x.mean()) / x.std()  # safe: of all pixels together


def other_data():
    x, _ = load_wine(return_X_y=True)
    return (x - x.mean(0)) / x.std(0)  # safe: no constant columns


def whole_batch(x):
    return (x - x.mean(0)) / x.std(0)  # safe: nothing is known of x
