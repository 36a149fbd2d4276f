"""Graphs that are used, in the loop or after it."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs, targets = torch.randn(48, 4), torch.randint(0, 2, (48,))
training = DataLoader(TensorDataset(inputs[:32], targets[:32]), batch_size=8, shuffle=True)
testing = DataLoader(TensorDataset(inputs[32:], targets[32:]), batch_size=8)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    for x, y in training:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    for x, y in testing:  # attacked inputs
        x.requires_grad_(True)
        (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(model(x), y), x)
        with torch.no_grad():
            model(x + 0.1 * gradient.sign())
    for x, _ in testing:  # what the model looks at
        x.requires_grad_(True)
        model(x)[:, 1].sum().backward()
    with torch.inference_mode():
        for x, _ in testing:
            model(x)
    model.train()
optimizer.zero_grad()
outputs = [(model(x), y) for x, y in training]
loss = torch.stack([nn.functional.cross_entropy(output, y) for output, y in outputs]).mean()
loss.backward()
optimizer.step()
optimizer.zero_grad()
total = 0.0
for loader in (training, testing):  # several parts at once
    for x, y in loader:
        total = total + nn.functional.cross_entropy(model(x), y, reduction="sum")
total.backward()
optimizer.step()
for parameter in model.parameters():
    parameter.requires_grad_(False)
features = [model(x) for x, _ in testing]
