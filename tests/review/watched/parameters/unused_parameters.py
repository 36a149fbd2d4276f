"""A layer that no forward uses, beside others that learn, with an optimizer that keeps nothing of its own."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.skip = nn.Linear(4, 1)  # TS505
        self.last = nn.Linear(8, 1)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


def train():
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)  # TS505
    for _ in range(12):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
        optimizer.step()


torch.manual_seed(0)
train()
