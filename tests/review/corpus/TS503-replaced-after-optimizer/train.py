"""Learns odd and even digits first, then goes on to all ten with a new last layer."""

import torch
from model import DigitNet, replace_head
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def digits():
    data = load_digits()
    x = torch.tensor(data.data / 16.0, dtype=torch.float32)
    y = torch.tensor(data.target, dtype=torch.long)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(3))
    return x[order], y[order]


def loader_of(x, y, train=True):
    return DataLoader(TensorDataset(x, y), batch_size=64, shuffle=train)


def fit(model, loader, optimizer, epochs):
    criterion = nn.CrossEntropyLoss()
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"  epoch {epoch}: {total / len(loader):.3f}")


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    right = sum((model(x).argmax(dim=1) == y).sum().item() for x, y in loader)
    return right / len(loader.dataset)


def main():
    torch.manual_seed(0)
    x, y = digits()
    model = DigitNet(classes=2)

    print("odd or even")
    first = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(model, loader_of(x[:1400], y[:1400] % 2), first, epochs=4)

    print("all ten")
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
    replace_head(model, classes=10)  # TS503
    fit(model, loader_of(x[:1400], y[:1400]), optimizer, epochs=6)
    print(f"accuracy {accuracy(model, loader_of(x[1400:], y[1400:], train=False)):.3f}")


if __name__ == "__main__":
    main()
