"""Inputs that hold the target and are never given to predict it, or are meant to be given back."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
table = torch.randn(200, 5)
table[:, 4] = table[:, 0] + 0.5 * torch.randn(200)


def learn(model, loader, loss):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for batch in loader:
        optimizer.zero_grad()
        loss(model, *batch).backward()
        optimizer.step()


def cut_in_the_loop(model, rows, target):
    return nn.functional.mse_loss(model(rows[:, :-1]).squeeze(1), target)  # all columns but the last


def given_back(model, rows, target):
    return nn.functional.mse_loss(model(rows), rows)  # an autoencoder, the label lies by


def two_inputs(model, rows, target):
    return nn.functional.mse_loss(
        model(torch.cat([rows[:, :4], torch.randn(len(rows), 1)], 1)), target[:, None]
    )


learn(nn.Linear(4, 1), DataLoader(TensorDataset(table, table[:, 4]), batch_size=25), cut_in_the_loop)
learn(nn.Linear(5, 5), DataLoader(TensorDataset(table, table[:, 4]), batch_size=25), given_back)
learn(nn.Linear(5, 1), DataLoader(TensorDataset(table, table[:, 4]), batch_size=25), two_inputs)
# The next value of a series: each window ends in the target of the one before.
series = torch.cumsum(torch.randn(220), 0)
windows = series.unfold(0, 6, 1)
learn(
    nn.Linear(5, 1),
    DataLoader(TensorDataset(windows[:, :5].contiguous(), windows[:, 5:].contiguous()), batch_size=25),
    lambda model, rows, target: nn.functional.mse_loss(model(rows), target),
)
