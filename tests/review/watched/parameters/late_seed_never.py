"""A seed for each epoch, weights that are loaded or made anew, and weights that were seeded before."""

import torch
from torch import nn


def fit(model, epochs=1, each=False):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(epochs):
        if each:
            torch.manual_seed(epoch)  # for the order of the epoch
        optimizer.zero_grad()
        model(torch.randn(16, 8)).pow(2).mean().backward()
        optimizer.step()


fit(nn.Linear(8, 2), epochs=3, each=True)
model = nn.Linear(8, 2)
torch.manual_seed(0)
fit(model)
