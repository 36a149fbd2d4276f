"""The model is made anew, and the optimizer goes on with the one that is gone."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.body(x).relu())


def train(model, optimizer):
    for _ in range(6):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(16, 4)), torch.randint(2, (16,))).backward()
        optimizer.step()


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # TS503
train(model, optimizer)
model = Net()  # TS503
train(model, optimizer)
