"""Fits a small net to a noisy sine wave."""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def forward(self, x):
        return self.layers(x)


def sine(count):
    x = torch.linspace(-math.pi, math.pi, count).unsqueeze(1)
    return x, torch.sin(x) + 0.05 * torch.randn(count, 1)


def load(count=1000):
    x, y = sine(count)
    # the points come in order, so mix them before the first batches are cut off
    x = x[torch.randperm(count)]  # TS408
    return TensorDataset(x, y)


def train_epoch(model, loader, optimizer):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    return total / len(loader.dataset)


def main():
    torch.manual_seed(0)
    loader = DataLoader(load(), batch_size=50)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(10):
        print(f"{epoch}: loss {train_epoch(model, loader, optimizer):.4f}")


if __name__ == "__main__":
    main()
