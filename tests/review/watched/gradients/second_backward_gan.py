import torch
from torch import nn

g, d = (
    nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4)),
    nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)),
)
for _ in range(3):
    fake = g(torch.randn(8, 4))  # TS113
    (d(torch.randn(8, 4)).mean() - d(fake).mean()).backward()
    d(fake).mean().backward()  # TS113
