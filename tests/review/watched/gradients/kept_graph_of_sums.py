"""Graphs that are kept for a second pass, or for the next round."""

import torch
from torch import nn

torch.manual_seed(0)


def two_losses():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(8):
        output = model(torch.randn(8, 4))
        optimizer.zero_grad()
        output.pow(2).mean().backward(
            retain_graph=True
        )  # safe: the next one goes back through the model, too
        (0.1 * output.abs().mean()).backward()
        optimizer.step()


two_losses()
