"""First layers with small gradients for good reasons: skip connections, a frozen or unused part."""

import torch
from torch import nn

torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(16, 16)

    def forward(self, x):
        return x + torch.sigmoid(self.inner(x))


model = nn.Sequential(*(Block() for _ in range(12)), nn.Linear(16, 2))
nn.init.zeros_(model[12].weight)  # nothing arrives at the first step
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(20):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.randn(32, 16)), torch.randint(2, (32,))).backward()
    optimizer.step()
