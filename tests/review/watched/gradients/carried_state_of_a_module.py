import torch
from torch import nn


class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(4, 4)
        self.state = None

    def forward(self, x):
        self.state = self.cell(x, self.state)
        return self.state


m = M()
for _ in range(3):
    m(torch.randn(2, 4)).sum().backward()  # TS114
