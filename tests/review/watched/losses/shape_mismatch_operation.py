import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        gate = self.layer(x).sigmoid()  # TS316
        return x * gate  # TS316


Gate()(torch.randn(16, 4))
