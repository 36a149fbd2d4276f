"""The optimizer is made in the function that trains for an epoch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(64, 4), torch.randn(64, 1)), batch_size=16, shuffle=True)
held_out = DataLoader(TensorDataset(torch.randn(32, 4), torch.randn(32, 1)), batch_size=32)
model = nn.Linear(4, 1)


def train():
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)  # TS117
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


for _ in range(5):
    train()
    with torch.no_grad():
        print(sum(nn.functional.mse_loss(model(x), y).item() for x, y in held_out))
