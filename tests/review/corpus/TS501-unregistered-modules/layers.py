"""Residual blocks and the net that stacks them."""

from torch import nn


class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x):
        return x + self.body(x)


class ResidualNet(nn.Module):
    def __init__(self, inputs, classes, width=32, depth=3):
        super().__init__()
        self.stem = nn.Linear(inputs, width)
        self.blocks = [ResidualBlock(width) for _ in range(depth)]  # TS501
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)
