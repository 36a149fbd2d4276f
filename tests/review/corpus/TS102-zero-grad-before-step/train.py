"""Fits a noisy sine wave."""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_wave(count=512):
    x = torch.linspace(-math.pi, math.pi, count).unsqueeze(1)
    return x, torch.sin(x) + 0.05 * torch.randn(count, 1)


class Regressor(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.hidden = nn.Linear(1, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x)))


class Learner:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        self.criterion = nn.MSELoss()

    def compute(self, x, y):
        loss = self.criterion(self.model(x), y)
        loss.backward()
        return loss.item()

    def apply(self):
        self.optimizer.zero_grad()  # TS102
        self.optimizer.step()

    def epoch(self, loader):
        total = 0.0
        for x, y in loader:
            total += self.compute(x, y)
            self.apply()
        return total / len(loader)


def main():
    torch.manual_seed(0)
    x, y = make_wave()
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    learner = Learner(Regressor())
    for number in range(20):
        loss = learner.epoch(loader)
        if number % 5 == 0:
            print(f"epoch {number}: {loss:.4f}")


if __name__ == "__main__":
    main()
