"""Tells sine waves from square waves."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from waves import Waves


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x):
        return self.layers(x)


def train_epoch(model, loader, optimizer):
    model.train()
    for signals, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(signals), labels)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    correct = sum((model(signals).argmax(1) == labels).sum().item() for signals, labels in loader)
    return correct / len(loader.dataset)


def main():
    torch.manual_seed(0)
    np.random.seed(0)
    train = DataLoader(Waves(400, seed=0, augment=True), batch_size=32, shuffle=True)
    validation = DataLoader(Waves(200, seed=1), batch_size=200)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(10):
        train_epoch(model, train, optimizer)
        print(f"{epoch}: validation accuracy {accuracy(model, validation):.3f}")


if __name__ == "__main__":
    main()
