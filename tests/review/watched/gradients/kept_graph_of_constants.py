"""A graph that is made once, before the loop."""

import torch
from torch import nn

torch.manual_seed(0)
scale = nn.Parameter(torch.zeros(4))
prior = (scale - 1).pow(2).sum()
other = nn.Parameter(torch.ones(1))
optimizer = torch.optim.SGD([other], lr=0.1)
for _ in range(8):
    optimizer.zero_grad()
    other.square().sum().backward()
    prior.backward(retain_graph=True)  # safe: the next round goes through it again
    optimizer.step()
print(scale.grad)
