"""Complex inputs and parameters."""

import torch
from torch import nn

torch.manual_seed(0)
data = torch.utils.data.TensorDataset(torch.randn(64, 4, dtype=torch.complex64), torch.randint(0, 2, (64,)))
loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
inner = nn.Sequential(nn.Linear(4, 8, dtype=torch.complex64), nn.Linear(8, 2, dtype=torch.complex64))
idle = torch.optim.SGD(nn.Linear(4, 8, dtype=torch.complex64).parameters(), lr=0.1)


def train(optimizer):
    for inputs, targets in loader:
        idle.zero_grad()
        loss = nn.functional.cross_entropy(inner(inputs).abs(), targets)
        loss.backward()  # TS101
        optimizer.step()  # TS101


for _ in range(4):
    train(torch.optim.SGD(inner.parameters(), lr=0.01, momentum=0.9))  # TS117
