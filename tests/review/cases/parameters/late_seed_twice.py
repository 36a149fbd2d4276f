import torch
from torch import nn


def main(seed):
    torch.manual_seed(seed)
    net = nn.Linear(4, 2)
    torch.manual_seed(seed + 1)  # safe: the weights had a seed of their own
    return net, torch.optim.Adam(net.parameters())


def elsewhere(seed_everything):
    seed_everything(1)
    net = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(net.parameters())
    return net, optimizer
