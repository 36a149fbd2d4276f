"""Inputs with NaN that no layer is given, and columns that are constant and mean no harm."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
rows = torch.randn(120, 5)
rows[rows > 2] = float("nan")
rows[:, 0] = 1.0  # for the intercept


class Imputing(nn.Module):
    """Has a number of its own for what is missing."""

    def __init__(self):
        super().__init__()
        self.missing = nn.Parameter(torch.zeros(5))
        self.layer = nn.Linear(5, 1)

    def forward(self, x):
        return self.layer(torch.where(x.isnan(), self.missing, x.nan_to_num()))


def learn(model, inputs, leave_out=False):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for x, y in DataLoader(TensorDataset(inputs, torch.randn(len(inputs), 1)), batch_size=30):
        keep = x.isfinite().all(1) if leave_out else torch.ones(len(x), dtype=torch.bool)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[keep]), y[keep]).backward()
        optimizer.step()


learn(Imputing(), rows)
learn(nn.Linear(5, 1), rows, leave_out=True)
pictures = torch.rand(120, 36)
pictures[:, [0, 5, 30, 35]] = -0.42  # a background, normalised
learn(nn.Linear(36, 1), pictures)
