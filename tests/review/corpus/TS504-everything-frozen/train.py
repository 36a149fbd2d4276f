# ends in an error
"""Trains on small digits, then on large ones with the features frozen."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from transfer import Encoder, freeze


def loaders():
    digits = load_digits()
    x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    y = torch.tensor(digits.target, dtype=torch.long)
    small = y < 5
    first = TensorDataset(x[small], y[small])
    second = TensorDataset(x[~small], y[~small] - 5)
    return DataLoader(first, batch_size=32, shuffle=True), DataLoader(second, batch_size=32, shuffle=True)


def fit(model, loader, optimizer, epochs):
    criterion = nn.CrossEntropyLoss()
    model.train()
    for epoch in range(epochs):
        total, correct = 0.0, 0
        for x, y in loader:
            optimizer.zero_grad()
            logits = model(x)
            loss = criterion(logits, y)
            loss.backward()
            optimizer.step()
            total += loss.item()
            correct += (logits.argmax(dim=1) == y).sum().item()
        print(f"epoch {epoch}: {total / len(loader):.3f} {correct / len(loader.dataset):.3f}")


def main():
    torch.manual_seed(0)
    small, large = loaders()
    model = Encoder(classes=5)
    fit(model, small, torch.optim.Adam(model.parameters(), lr=1e-3), epochs=3)

    model.classifier = nn.Linear(32, 5)
    freeze(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)  # TS504
    fit(model, large, optimizer, epochs=3)


if __name__ == "__main__":
    main()
