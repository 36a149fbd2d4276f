import numpy as np
import torch
from torch import nn


def softmax(x):
    return torch.exp(x) / torch.sum(torch.exp(x), dim=1).view(-1, 1)  # TS603


def with_names(x, weights):
    scores = x @ weights
    e = scores.exp()
    partition = e.sum(1, keepdim=True)
    return e / partition  # TS603


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(8, 1)

    def forward(self, x):
        weights = torch.exp(self.score(x))
        weights = weights / (weights.sum(dim=1, keepdim=True) + 1e-9)  # TS603
        return (weights * x).sum(1)

    def stable(self, x):
        scores = self.score(x)
        scores = scores - scores.max(dim=1, keepdim=True)[0]
        weights = torch.exp(scores)
        return weights / weights.sum(dim=1, keepdim=True)  # safe: the maximum is subtracted


def log_softmax(x):
    return x - x.exp().sum(-1).log().unsqueeze(-1)  # TS603


class Activation(nn.Module):
    def forward(self, x):
        return 1 / (1 + torch.exp(-x))  # TS603


def activation(x):
    return 1 / (1 + torch.exp(-x))  # safe: the value is right, and nobody is seen to go back through it


def odds(x):
    return torch.exp(x) / (1 + torch.exp(x))  # TS603


def softplus(x):
    return torch.log(1 + torch.exp(x))  # TS603


def stable_log_sum(x):
    largest, _ = x.max(dim=1, keepdim=True)
    return largest + torch.log(torch.sum(torch.exp(x - largest), dim=1, keepdim=True))  # safe: bounded by 0


def kernel(a, b):
    squared = torch.cdist(a, b) ** 2
    weights = torch.exp(-squared)
    return weights / weights.sum(dim=1, keepdim=True)  # safe: nothing above 0


def contrastive(z):
    z = nn.functional.normalize(z, dim=1)
    similarity = torch.mm(z, z.t()) / 0.5
    return torch.log(torch.exp(similarity).sum(dim=1))  # safe: cosines are at most 1


def stable_softplus(x):
    return torch.clamp(x, min=0) + torch.log(1 + torch.exp(-torch.abs(x)))  # safe: at most 0


def switched(x):
    return torch.where(x > 20, x, torch.log1p(torch.exp(x)))  # safe: not taken where x is large


def switched_by_name(x):
    small = torch.log1p(torch.exp(x))  # safe: not taken where x is large
    return torch.where(x > 20, x, small)


def naive_softmax(x):
    return torch.exp(x) / torch.exp(x).sum()  # safe: to compare others with


def ratio(new, old, advantages):
    return (torch.exp(new - old) * advantages).sum() / advantages.sum()  # safe: no softmax


def in_numpy(x):
    return np.exp(x) / np.exp(x).sum()  # safe: no gradients go through it
