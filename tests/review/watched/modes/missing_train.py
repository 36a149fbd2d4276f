"""Evaluation mode is left behind by an evaluation, in the middle and before the first epoch."""

import torch
from torch import nn

torch.manual_seed(0)
inputs, targets = torch.randn(32, 4), torch.randint(0, 2, (32,))


def build():
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))


model, second = build(), build()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model.train()
for _ in range(3):
    for rows in inputs.split(8):
        optimizer.zero_grad()
        outputs = model(rows)  # TS202
        nn.functional.cross_entropy(outputs, targets[:8]).backward()
        optimizer.step()
    model.eval()  # TS202
    with torch.no_grad():
        model(inputs).argmax(1)

adam = torch.optim.Adam(second.parameters())


def accuracy():
    second.eval()
    with torch.no_grad():
        return (second(inputs).argmax(1) == targets).float().mean()


accuracy()
for _ in range(3):
    adam.zero_grad()
    nn.functional.cross_entropy(second(inputs), targets).backward()  # TS202
    adam.step()
    accuracy()
