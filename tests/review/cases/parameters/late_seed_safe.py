import torch
from torch import nn


def first():
    layer = nn.Linear(4, 2)
    return layer


def main():
    probe = nn.Linear(4, 2)
    torch.manual_seed(3)  # safe: what is trained is made below
    net = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(net.parameters())
    return net, optimizer, probe, first()
