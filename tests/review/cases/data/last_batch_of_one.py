import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, columns, width=16):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(columns, width), nn.BatchNorm1d(width), nn.ReLU())
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        return self.head(self.body(x))


def prepare():
    X, y = load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
    scaler = StandardScaler()
    X_train, X_test = scaler.fit_transform(X_train), scaler.transform(X_test)
    return X_train, X_test, y_train, y_test


def train(model, loader):
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x.float()), y).backward()
        optimizer.step()


def main():
    X_train, X_test, y_train, y_test = prepare()
    data = TensorDataset(torch.from_numpy(X_train), torch.from_numpy(y_train))
    others = TensorDataset(torch.from_numpy(X_test), torch.from_numpy(y_test))
    loader = DataLoader(data, batch_size=454 // 1, shuffle=True)  # safe: a number that is computed
    train(Net(30), loader)
    loader = DataLoader(data, 2, shuffle=True)  # TS414
    train(Net(30), loader)
    loader = DataLoader(data, 32, shuffle=True)  # safe: seven are left
    train(Net(30), loader)
    loader = DataLoader(data, 2, shuffle=True, drop_last=True)  # safe: left out
    train(Net(30), loader)
    loader = DataLoader(data, 2)  # safe: no batch normalisation
    train(nn.Linear(30, 2), loader)
    test_loader = DataLoader(others, batch_size=113)  # safe: evaluated alone
    with torch.no_grad():
        for x, _ in test_loader:
            print(Net(30).eval()(x.float()))


def sequences():
    data = TensorDataset(torch.randn(65, 10, 4), torch.randint(0, 2, (65, 10)))
    loader = DataLoader(data, batch_size=64)  # safe: ten values for each channel
    model = nn.Sequential(nn.Linear(4, 10), nn.BatchNorm1d(10), nn.Linear(10, 2))
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x).transpose(1, 2), y).backward()
        optimizer.step()
