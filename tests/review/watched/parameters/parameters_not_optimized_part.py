"""One part of a model, and a decoder that stands beside its encoder, are forgotten."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8))
        self.bridge = nn.Linear(8, 8)
        self.decoder = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, x):
        return self.decoder(self.bridge(self.encoder(x)))


torch.manual_seed(0)
net = Net()
held = [*net.encoder.parameters(), *net.decoder.parameters()]
optimizer = torch.optim.SGD(held, lr=0.1)  # TS502
for _ in range(6):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(torch.randn(16, 4)), torch.randint(2, (16,))).backward()
    optimizer.step()

del net
encoder, decoder = nn.Linear(4, 2), nn.Linear(2, 4)
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)  # TS502
for _ in range(6):
    x = torch.randn(16, 4)
    optimizer.zero_grad()
    nn.functional.mse_loss(decoder(encoder(x)), x).backward()
    optimizer.step()
