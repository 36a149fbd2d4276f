import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR


def transformer(model: nn.Module):
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0)  # safe: the schedule gives the rate
    return optimizer, LambdaLR(optimizer, lambda step: 1e-3 * min(1, step / 1000))
