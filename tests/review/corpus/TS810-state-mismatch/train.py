# ends in an error
"""Trains in two parts: the second goes on from what the first has saved."""

import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_iris
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_model():
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


def fit(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(epochs):
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return loss.item()


def main():
    torch.manual_seed(0)
    columns, kinds = load_iris(return_X_y=True)
    data = TensorDataset(torch.tensor(columns, dtype=torch.float32), torch.tensor(kinds))
    loader = DataLoader(data, batch_size=32, shuffle=True)
    first = nn.DataParallel(make_model())
    print(f"{fit(first, loader, 3):.3f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "first.pt")
        torch.save(first.state_dict(), path)
        second = make_model()
        second.load_state_dict(torch.load(path))  # TS810
    print(f"{fit(second, loader, 3):.3f}")


if __name__ == "__main__":
    main()
