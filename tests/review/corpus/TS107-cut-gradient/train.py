"""Rates wines in whole points, from their measured properties."""

import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Rater(nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(columns, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        return self.layers(x).squeeze(1)


def points(scores):
    """Ratings are whole numbers from 0 to 2."""
    return torch.round(scores).clamp(0, 2)  # TS107


class Trainer:
    def __init__(self, model):
        self.model = model
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def loss(self, x, y):
        predicted = points(self.model(x))
        return self.criterion(predicted, y)

    def fit(self, loader, epochs):
        self.model.train()
        for epoch in range(epochs):
            total = 0.0
            for x, y in loader:
                loss = self.loss(x, y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(f"epoch {epoch}: {total / len(loader):.3f}")


def main():
    torch.manual_seed(0)
    columns, ratings = load_wine(return_X_y=True)
    x = torch.tensor(StandardScaler().fit_transform(columns), dtype=torch.float32)
    y = torch.tensor(ratings, dtype=torch.float32)
    trainer = Trainer(Rater(x.shape[1]))
    trainer.fit(DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True), epochs=5)


if __name__ == "__main__":
    main()
