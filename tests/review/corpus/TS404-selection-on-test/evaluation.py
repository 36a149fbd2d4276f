"""How far predictions are off."""

import torch


@torch.no_grad()
def mean_error(model, loader):
    model.eval()
    total = 0.0
    for x, y in loader:
        total += (model(x) - y).abs().sum().item()
    return total / len(loader.dataset)
