"""An encoder and the head that is trained on top of it."""

from torch import nn


class Classifier(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.encoder(x))


def freeze(module):
    for parameter in module.parameters():
        parameter.require_grad = False  # TS116
