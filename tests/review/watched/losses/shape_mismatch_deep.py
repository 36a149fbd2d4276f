import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(4, width))

    def forward(self, x):
        return x + self.layers(x)  # TS316


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(4), Block(4)])

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


Net()(torch.randn(16, 4))
