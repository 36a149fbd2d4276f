import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.datasets import fetch_california_housing, load_diabetes, make_regression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split


class Net(nn.Module):
    def __init__(self, inputs, outputs=1):
        super().__init__()
        self.hidden = nn.Linear(inputs, 32)
        self.output = nn.Linear(32, outputs)

    def forward(self, x):
        return self.output(F.relu(self.hidden(x)))


class Squeezed(Net):
    def forward(self, x):
        return self.output(F.relu(self.hidden(x))).squeeze(-1)


def with_loader():
    features, targets = load_diabetes(return_X_y=True)
    x = torch.tensor(StandardScaler().fit_transform(features), dtype=torch.float32)
    y = torch.tensor(targets, dtype=torch.float32)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    model, right = Net(10), Squeezed(10)
    criterion = nn.MSELoss()
    for inputs, labels in loader:
        criterion(model(inputs), labels)  # TS306
        criterion(right(inputs), labels)  # safe: the model takes the column away itself
        criterion(model(inputs), labels.view(-1, 1))  # safe: the target is given a column
        criterion(model(inputs).flatten(), labels)  # safe


def split_by_hand():
    data = fetch_california_housing()
    x_train, x_test, y_train, y_test = train_test_split(data.data, data.target, test_size=0.2)
    x = torch.from_numpy(x_train).float()
    y = torch.from_numpy(y_train).float()
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    loss = ((model(x) - y) ** 2).mean()  # TS306
    column = y_test.reshape(-1, 1)
    return loss, torch.mean(torch.abs(model(x) - torch.from_numpy(column)))  # safe: a column too


def columns(path):
    table = pd.read_csv(path)
    x = torch.tensor(table[["a", "b"]].values, dtype=torch.float32)
    y = torch.tensor(table["price"].values, dtype=torch.float32)
    column = torch.tensor(table[["price"]].values, dtype=torch.float32)
    model = Net(2)
    return F.l1_loss(model(x), y), F.smooth_l1_loss(model(x), column)  # TS306


class Rows(Dataset):
    def __init__(self, count):
        x, y = make_regression(count, 5)
        self.x = torch.tensor(x, dtype=torch.float32)
        self.y = torch.tensor(y, dtype=torch.float32)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


class RowsWithColumn(Rows):
    def __getitem__(self, index):
        return self.x[index], self.y[index].unsqueeze(0)


class Trainer:
    def __init__(self):
        train, test = random_split(Rows(100), [80, 20])
        self.loader = DataLoader(train, batch_size=8)
        self.other = DataLoader(RowsWithColumn(100), batch_size=8)
        self.model = Net(5)
        self.criterion = nn.HuberLoss()

    def fit(self):
        for x, y in self.loader:
            self.step(x, y)
        for x, y in self.other:
            self.criterion(self.model(x), y)  # safe: each target is a row of one number

    def step(self, x, y):
        prediction = self.model(x)
        return self.criterion(prediction, y)  # TS306


def quantiles(x, y):
    levels = torch.tensor([0.1, 0.5, 0.9])
    errors = y.unsqueeze(1) - Net(4, 3)(x)
    return torch.max(levels * errors, (levels - 1) * errors).mean()  # safe: three outputs on purpose


def unknown(loader, x, y):
    model = Net(4)
    for inputs, targets in loader:
        F.mse_loss(model(inputs), targets)  # safe: nobody knows the shape of these targets
    return F.mse_loss(model(x), y)  # safe


def wave():
    x = torch.linspace(0, 6, 200).unsqueeze(1)
    y = torch.sin(x)
    noise = torch.from_numpy(np.random.randn(200)).float()
    model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    F.mse_loss(model(x), y)  # safe: made from the column
    return F.mse_loss(model(x), y + 0.1 * noise.unsqueeze(1))  # safe


def values(states, actions, rewards):
    q = Net(4, 2)
    future = q(states.view(-1, 4)).max(1)[0].detach()
    chosen = q(states.view(-1, 4)).gather(1, actions.view(-1, 1))
    wrong = F.mse_loss(chosen, future)  # TS306
    right = F.mse_loss(chosen.squeeze(1), future)  # safe
    return wrong + right + F.mse_loss(chosen, rewards.view(-1, 1) + 0.9 * future.view(-1, 1))  # safe
