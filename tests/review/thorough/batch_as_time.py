"""Layers that want the steps first get the samples first, where sizes do not show it."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(4, 8)
        self.pool = nn.AvgPool1d(2)
        self.lstm = nn.LSTM(8, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        x = self.pool(self.embed(x).transpose(1, 2)).transpose(1, 2)
        out, _ = self.lstm(x)  # TS311
        return self.head(out[:, -1])


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Conv1d(4, 8, 2, stride=2)
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2)
        self.place = nn.Parameter(torch.randn(64, 1, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.embed(x.transpose(1, 2)).transpose(1, 2)
        return self.head(self.layers(x + self.place[: len(x)]).mean(1))  # TS311


torch.manual_seed(0)
x = torch.randn(160, 6, 4)
data = TensorDataset(x, (x[:, :, 0].sum(1) > 0).long())
for net in (Recurrent(), Attending()):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for inputs, labels in DataLoader(data, batch_size=16, shuffle=True):
        loss = nn.functional.cross_entropy(net(inputs), labels)  # TS311
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
