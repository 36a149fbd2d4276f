"""Features of a whole data set that are collected with the graphs that made them."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(96, 4)), batch_size=8)
backbone = nn.Sequential(nn.Linear(4, 16), nn.ReLU())
features = []
for (x,) in loader:  # TS704
    features.append(backbone(x))  # TS704
features = torch.cat(features).detach()
head = nn.Linear(16, 1)
optimizer = torch.optim.SGD(head.parameters(), lr=0.01)
for _ in range(3):
    optimizer.zero_grad()
    head(features).square().mean().backward()
    optimizer.step()
