"""A net that nobody evaluates, chosen in a way that no reader of the source knows: nothing is noisy."""

import torch
import torch.nn.functional as F
from torch import nn


class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 1)

    def forward(self, x):
        return self.second(F.dropout(self.first(x), 0.3))  # TS204


torch.manual_seed(0)
judge = globals()["Judge"]()
optimizer = torch.optim.SGD(judge.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    loss = judge(torch.randn(16, 8)).mean() ** 2 + judge(torch.randn(16, 8)).pow(2).mean()
    loss.backward()
    optimizer.step()
