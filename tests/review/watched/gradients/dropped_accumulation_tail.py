"""The last batches of each pass are used by no step, or by the first step of the next pass."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(56, 4), torch.randn(56, 1))


def leaks():
    """The step of the next pass uses them beside its own."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(2):
        for number, (x, y) in enumerate(DataLoader(data, batch_size=8, shuffle=True)):
            (nn.functional.mse_loss(model(x), y) / 3).backward()  # TS110
            if (number + 1) % 3 == 0:
                optimizer.step()  # TS110
                optimizer.zero_grad()


def is_cleared():
    """The next pass begins with a clearing."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    loader = DataLoader(data, batch_size=8, shuffle=True)
    for _ in range(3):
        model.zero_grad()
        for number, (x, y) in enumerate(loader):
            (nn.functional.mse_loss(model(x), y) / 2).backward()  # TS110
            if number % 2:
                optimizer.step()  # TS110
                optimizer.zero_grad()


def ends():
    """There is one pass, and nothing comes after it."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    for number, (x, y) in enumerate(DataLoader(data, batch_size=8, shuffle=True)):
        (nn.functional.mse_loss(model(x), y) / 3).backward()  # TS110
        if (number + 1) % 3 == 0:
            optimizer.step()  # TS110
            optimizer.zero_grad()


leaks()
is_cleared()
ends()
