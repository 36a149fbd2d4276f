from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn import CrossEntropyLoss


def flat(x, y):
    model = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
    criterion = nn.CrossEntropyLoss()
    return criterion(model(x), y)  # TS301


def ordered(x, y):
    model = nn.Sequential(OrderedDict([("a", nn.Linear(4, 3)), ("b", nn.Softmax(dim=1))]))
    return F.cross_entropy(model(x).view(-1, 3), y)  # TS301


def by_method(x, y):
    scores = nn.Linear(4, 3)(x)
    probabilities = scores.softmax(dim=-1)
    return CrossEntropyLoss()(probabilities, y)  # TS301


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x):
        x = self.head(x)
        x = self.softmax(x)
        return x


class TrainingAware(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.head(x)
        if not self.training:
            x = torch.softmax(x, dim=1)
        return x


class Trainer:
    def __init__(self):
        self.net = nn.DataParallel(Net())
        self.aware = TrainingAware()
        self.criterion = nn.CrossEntropyLoss()

    def step(self, x, y):
        out = self.net(x)
        return self.criterion(out, y)  # TS301

    def right(self, x, y):
        return self.criterion(self.aware(x), y)  # safe: softmax in evaluation alone


def distillation(student, teacher, x):
    soft = F.softmax(teacher(x), dim=1)
    return F.cross_entropy(student(x), soft)  # safe: probabilities are the target


def both(x, y, raw):
    scores = nn.Linear(4, 3)(x)
    output = scores if raw else F.softmax(scores, dim=1)
    return F.cross_entropy(output, y)  # safe: one way gives raw scores


def log_probabilities(x, y):
    return F.cross_entropy(
        F.log_softmax(nn.Linear(4, 3)(x), dim=1), y
    )  # safe: log-softmax twice changes nothing


def attention(x, y):
    weights = F.softmax(nn.Linear(4, 4)(x), dim=1)
    return F.cross_entropy(weights * x, y)  # safe: the softmax is a weight


class WithDict(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        scores = self.head(x)
        return {"scores": scores, "probabilities": F.softmax(scores, dim=-1)}


def by_key(x, y):
    model = WithDict()
    output = model(x)
    wrong = F.cross_entropy(output["probabilities"], y)  # TS301
    return wrong + F.cross_entropy(output["scores"], y)  # safe
