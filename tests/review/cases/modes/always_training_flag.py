import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        x = F.dropout(x, 0.5, True)  # TS207
        return F.dropout(self.linear(x), training=True)  # TS207


class BayesianNet(Net):
    def forward(self, x):
        return F.dropout(self.linear(x), 0.5, training=True)  # safe: on purpose, by the class's name


class Right(Net):
    def forward(self, x):
        return F.dropout(self.linear(x), 0.5, training=self.training)  # safe: follows the mode


def evaluate(loader):
    net = Net()
    net.eval  # TS207
    with torch.no_grad():
        return [net(x) for x in loader]


class Trainer:
    def __init__(self):
        self.net = Net()
        self.eval = True

    def validate(self, x):
        self.eval  # safe: no model
        self.net.train  # TS207
        return self.net(x)


def corrupted(x):
    return F.dropout(x, 0.5, training=True)  # safe: noise on data, no module


class Prenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        # safe: the decoder of a speech synthesis model needs it in use, too (Tacotron 2, section 2.2)
        return F.dropout(self.layer(x), p=0.5, training=True)
