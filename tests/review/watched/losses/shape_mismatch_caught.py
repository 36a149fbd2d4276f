import torch
from torch import nn

net = nn.Linear(4, 2)
try:
    net(torch.randn(8, 5))  # safe: the program asks on purpose, and goes on
except RuntimeError:
    net(torch.randn(8, 4))
