"""A table as it was read: one column near 1, another near a thousand."""

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Reader:
    def table(self):
        wine = load_wine()
        return torch.tensor(wine["data"], dtype=torch.float32), torch.tensor(wine["target"])


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
for x, y in DataLoader(TensorDataset(*Reader().table()), batch_size=30, shuffle=True):
    optimizer.zero_grad()
    outputs = model(x)  # TS407
    nn.functional.cross_entropy(outputs, y).backward()
    optimizer.step()
