import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 1)
        self.classes = nn.Linear(4, 3)

    def forward(self, x):
        return torch.sigmoid(self.head(x))

    def scores(self, x):
        return self.classes(x)


def logits_twice(x, y):
    return nn.BCEWithLogitsLoss()(Net()(x).flatten(), y)  # TS302


def right_loss(x, y):
    return nn.BCELoss()(Net()(x).flatten(), y)  # safe


def raw(x, y):
    net = nn.Linear(4, 1)
    return F.binary_cross_entropy(net(x), y)  # TS303


def clamped(x, y):
    net = nn.Linear(4, 1)
    return F.binary_cross_entropy(torch.clamp(net(x), 0, 1), y)  # TS303


def squashed(x, y):
    net = nn.Linear(4, 1)
    return F.binary_cross_entropy((torch.tanh(net(x)) + 1) / 2, y)  # safe: brought into [0, 1] by hand


def nll(x, y):
    return F.nll_loss(Net().scores(x), y)  # TS304


def nll_of_probabilities(x, y):
    return nn.NLLLoss()(torch.softmax(Net().scores(x), 1), y)  # TS304


def nll_of_logs(x, y):
    logs = torch.log(torch.softmax(Net().scores(x), 1))  # TS602
    return nn.NLLLoss()(logs, y)  # safe: these are logs


def nll_of_mixture(x, y):
    return F.nll_loss(torch.log(torch.softmax(Net().scores(x), 1) + 1e-6), y)  # safe


def nll_of_unknown(model, x, y):
    return F.nll_loss(model(x), y)  # safe: the model cannot be seen


def gan(x, generator):
    real = torch.ones(4, 1)
    discriminator = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
    return nn.BCELoss()(discriminator(generator(x)), real)  # safe
