import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.Tanh())

    def forward(self, x):
        hidden = self.layers(x)  # TS112
        hidden[:, 0] = 0  # TS112
        return hidden


torch.manual_seed(0)
net = nn.Sequential(Block(), nn.Dropout(0.1), Block(), nn.Linear(4, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(3):
    optimizer.zero_grad()
    net(torch.randn(8, 4)).mean().backward()
    optimizer.step()
