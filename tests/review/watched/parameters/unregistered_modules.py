"""Layers in a dict, and a tensor that should be a parameter."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.heads = {"left": nn.Linear(8, 2), "right": nn.Linear(8, 2)}  # TS501
        self.scale = torch.ones(2, requires_grad=True)  # TS501

    def forward(self, x):
        x = self.stem(x).relu()
        return self.scale * sum(head(x) for head in self.heads.values())


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(torch.randn(16, 4)), torch.randint(2, (16,))).backward()
    optimizer.step()
