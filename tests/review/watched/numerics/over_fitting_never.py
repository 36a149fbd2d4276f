"""Runs whose evaluation loss rises, or seems to, and all is well."""

import copy
import io

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
functional = nn.functional
inputs = torch.randn(96, 16)
noisy = (inputs[:, 0] + 2 * torch.randn(96) > 0).long()
clear = (inputs[:, 0] > 0).long()


def loaders(targets):
    first = DataLoader(TensorDataset(inputs[:64], targets[:64]), batch_size=8, shuffle=True)
    return first, DataLoader(TensorDataset(inputs[64:], targets[64:]), batch_size=16)


def network(width):
    model = nn.Sequential(nn.Linear(16, width), nn.ReLU(), nn.Linear(width, 2))
    return model, torch.optim.Adam(model.parameters(), lr=0.003)


def fit(model, optimizer, train_loader):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def evaluate(model, val_loader):
    model.eval()
    with torch.no_grad():
        return sum(functional.cross_entropy(model(x), y).item() for x, y in val_loader)


# The best state is kept in a file.
model, optimizer = network(64)
train_loader, val_loader = loaders(noisy)
best, file = float("inf"), io.BytesIO()
for epoch in range(12):
    fit(model, optimizer, train_loader)
    loss = evaluate(model, val_loader)
    if loss < best:
        best = loss
        torch.save(model.state_dict(), file)

# It learns what is there to learn.
model, optimizer = network(8)
train_loader, val_loader = loaders(clear)
for epoch in range(12):
    fit(model, optimizer, train_loader)
    evaluate(model, val_loader)

# A few passes say nothing.
model, optimizer = network(64)
train_loader, val_loader = loaders(noisy)
for epoch in range(4):
    fit(model, optimizer, train_loader)
    evaluate(model, val_loader)

# The training data are evaluated: it is not known as held out.
model, optimizer = network(64)
train_loader, other = loaders(noisy)
for epoch in range(12):
    fit(model, optimizer, train_loader)
    evaluate(model, val_loader=train_loader)

# The best state comes back in the end.
model, optimizer = network(64)
train_loader, val_loader = loaders(noisy)
best, state = float("inf"), None
for epoch in range(12):
    fit(model, optimizer, train_loader)
    loss = evaluate(model, val_loader)
    if loss < best:
        best, state = loss, copy.deepcopy(model.state_dict())
model.load_state_dict(state)
