"""A graph that is made once, before the loop."""

import torch
from torch import nn

torch.manual_seed(0)
scale = nn.Parameter(torch.zeros(4))
prior = (scale - 1).pow(2).sum()
optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
for _ in range(8):
    optimizer.zero_grad()
    prior.backward(retain_graph=True)  # safe: the next round goes through it again
    optimizer.step()
print(scale.grad)
