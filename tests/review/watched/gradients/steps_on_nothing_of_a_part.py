"""An encoder that no loss comes back to."""

import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.encoder(x).detach())


def parts():
    net = Net()
    slow = torch.optim.SGD(net.encoder.parameters(), lr=0.01)
    fast = torch.optim.SGD(net.head.parameters(), lr=0.1)
    for _ in range(14):
        slow.zero_grad()
        fast.zero_grad()
        nn.functional.cross_entropy(net(torch.randn(8, 4)), torch.randint(0, 2, (8,))).backward()
        slow.step()  # TS104
        fast.step()


parts()
