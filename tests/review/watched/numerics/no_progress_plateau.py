"""A loss near that of one answer for long, which falls a little each time, and ever faster."""

import torch
from sklearn.datasets import make_circles
from torch import nn

torch.manual_seed(0)
points, labels = make_circles(800, noise=0.03, random_state=42)
inputs, targets = torch.tensor(points).float(), torch.tensor(labels).float()
model = nn.Sequential(nn.Linear(2, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(500):
    optimizer.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(model(inputs).squeeze(), targets)
    loss.backward()
    optimizer.step()
