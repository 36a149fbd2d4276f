import torch
from torch import nn


def scripted(path):
    net = torch.jit.script(nn.Linear(4, 1))
    torch.save(net, path)  # safe: not a plain module any more
