"""Samples that a model is given one by one, as rows and as batches of one."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

model = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
data = TensorDataset(torch.randn(64, 1, 8), torch.randint(0, 2, (64,)))
for x, y in DataLoader(data, batch_size=16):
    optimizer.zero_grad()
    outputs = []
    for i in range(len(x)):
        outputs.append(model(x[i : i + 1]))  # TS712
    nn.functional.cross_entropy(torch.cat(outputs), y).backward()
    optimizer.step()

line = nn.Linear(8, 2)
optimizer = torch.optim.SGD(line.parameters(), lr=0.01)
for x, y in DataLoader(data, batch_size=16):
    optimizer.zero_grad()
    loss = 0.0
    for sample, label in zip(x.squeeze(1), y, strict=True):
        loss = loss + nn.functional.cross_entropy(line(sample), label)  # TS712
    loss.backward()
    optimizer.step()
