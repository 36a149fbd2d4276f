"""Samples are cut up by a view to the steps first, and by a view of a state of two layers."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        batch, steps, features = x.shape
        out, _ = self.gru(x.view(steps, batch, features))  # TS310
        return self.head(out[-1])


class State(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        _, state = self.gru(x)
        return self.head(state.reshape(len(x), -1))  # TS310


torch.manual_seed(0)
x = torch.randn(160, 6, 4)
data = TensorDataset(x, (x[:, :, 0].sum(1) > 0).long())
for net in (Steps(), State()):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for inputs, labels in DataLoader(data, batch_size=16, shuffle=True):
        loss = nn.functional.cross_entropy(net(inputs), labels)  # TS310
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
