"""A layer that is made in the first forward, when its input is known, and so after the optimizer."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = None

    def forward(self, x):
        x = self.body(x).relu()
        if self.head is None:
            self.head = nn.Linear(x.shape[1], 2)  # TS503
        return self.head(x)


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.randn(16, 4)), torch.randint(2, (16,))).backward()
    optimizer.step()
