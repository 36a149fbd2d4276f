"""The most probable sample of each class, taken for the class of each sample."""

import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
inputs, targets = torch.randn(40, 4), torch.randint(0, 4, (40,))
for x, y in zip(inputs.split(10), targets.split(10), strict=True):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()

right = 0
with torch.no_grad():
    for x, y in zip(inputs.split(4), targets.split(4), strict=True):
        predicted = model(x).argmax(dim=0)  # TS309
        right += (predicted == y).sum().item()  # TS309
print(right)
scores = model(inputs)
print((torch.max(scores, 0)[1] == targets).float().mean())  # TS309
