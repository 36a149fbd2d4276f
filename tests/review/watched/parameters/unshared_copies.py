"""A siamese net whose second tower is a copy, within one module."""

import copy

import torch
from torch import nn


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
        self.right = copy.deepcopy(self.left)

    def forward(self, one, other):
        return nn.functional.pairwise_distance(self.left(one), self.right(other))  # TS512


torch.manual_seed(0)
net = Siamese()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for _ in range(6):
    distance = net(torch.randn(8, 6), torch.randn(8, 6))
    alike = torch.rand(8).round()
    loss = (alike * distance + (1 - alike) * torch.relu(1 - distance)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
