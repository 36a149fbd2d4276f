import torch.nn as nn
from torch.nn import init


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.second = nn.Linear(8, 2)
        self.norm = nn.BatchNorm1d(8)
        self.conv = nn.Conv2d(1, 1, 3)
        init.zeros_(self.second.weight)  # safe: the last layer
        for module in self.modules():
            if isinstance(module, nn.Linear):
                init.constant_(module.weight, 0.5)  # TS514
                init.zeros_(module.bias)  # safe: a bias
            elif isinstance(module, nn.BatchNorm1d):
                init.ones_(module.weight)  # safe: a scale
            if isinstance(module, nn.Conv2d):
                init.zeros_(module.weight)  # safe: the only one


def initialise(module):
    if isinstance(module, nn.Linear):
        nn.init.constant_(module.weight.data, 0.01)  # TS514


def initialise_but_some(module, last):
    if isinstance(module, nn.Linear):
        if module is last:
            nn.init.zeros_(module.weight)  # safe: of one layer
        else:
            nn.init.normal_(module.weight)
