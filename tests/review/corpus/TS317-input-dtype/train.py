# ends in an error
"""Tells wines apart by their measured properties."""

import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Wines(Dataset):
    def __init__(self):
        columns, self.growers = load_wine(return_X_y=True)
        self.columns = StandardScaler().fit_transform(columns)

    def __len__(self):
        return len(self.growers)

    def __getitem__(self, index):
        return torch.from_numpy(self.columns[index]), int(self.growers[index])


def main():
    torch.manual_seed(0)
    loader = DataLoader(Wines(), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(3):
        total = 0.0
        for columns, growers in loader:
            loss = nn.functional.cross_entropy(model(columns), growers)  # TS317
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: {total / len(loader):.3f}")


if __name__ == "__main__":
    main()
