"""Regression on a made-up table; the model is validated after each epoch and the best weights are kept."""

import copy

import torch
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Regressor(nn.Module):
    def __init__(self, inputs, width=64, dropout=0.1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, 1),
        )

    def forward(self, x):
        return self.layers(x).squeeze(1)


class Experiment:
    def __init__(self, seed=0):
        torch.manual_seed(seed)
        x, y = make_friedman1(n_samples=1200, noise=0.5, random_state=seed)
        x_train, x_val, y_train, y_val = train_test_split(x, y, random_state=seed)
        mean, std = y_train.mean(), y_train.std()
        self.train_loader = self._loader(x_train, (y_train - mean) / std, shuffle=True)
        self.val_loader = self._loader(x_val, (y_val - mean) / std, shuffle=False)
        self.model = Regressor(x.shape[1])
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-3)

    @staticmethod
    def _loader(x, y, shuffle):
        data = TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32))
        return DataLoader(data, batch_size=64, shuffle=shuffle)

    def train_one_epoch(self):
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)  # TS202
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        losses = [self.criterion(self.model(x), y).item() for x, y in self.val_loader]
        return sum(losses) / len(losses)

    def run(self, epochs):
        self.model.train()
        best, weights = float("inf"), None
        for epoch in range(epochs):
            self.train_one_epoch()
            loss = self.validate()
            print(f"epoch {epoch}: validation {loss:.4f}")
            if loss < best:
                best, weights = loss, copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(weights)
        return best


if __name__ == "__main__":
    print(f"best {Experiment().run(epochs=8):.4f}")
