"""Data sets that are plain lists, one to train on and one to evaluate on."""

import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)
train = [(torch.randn(4), torch.tensor(i % 2)) for i in range(32)]
test = [(torch.randn(4), torch.tensor(i % 2)) for i in range(32)]
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    for x, y in DataLoader(train, batch_size=8, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        losses = [nn.functional.cross_entropy(model(x), y).item() for x, y in DataLoader(test, batch_size=8)]
print(losses)
