import torch
from torch import nn
from torch.nn import functional as F


def cross_entropy(scores, labels):
    probabilities = F.softmax(scores, dim=-1)
    return -torch.log(probabilities[range(len(labels)), labels]).mean()  # TS602


def gathered(scores, labels):
    chosen = scores.softmax(dim=1).gather(1, labels[:, None])
    return -chosen.log().mean()  # TS602


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 16)
        self.output = nn.Linear(16, 2)

    def forward(self, x):
        return F.softmax(self.output(torch.relu(self.hidden(x))), dim=-1)


class Agent:
    def __init__(self):
        self.policy = Policy()

    def loss(self, state, action, advantage):
        probabilities = self.policy(state)
        log_probability = torch.log(probabilities.gather(1, action))  # TS602
        return -(log_probability * advantage).mean()

    def entropy(self, state):
        probabilities = self.policy(state)
        return -(probabilities * torch.log(probabilities + 1e-8)).sum(-1)  # safe: a small number is added


def binary(scores, labels):
    p = torch.sigmoid(scores)
    return -(labels * torch.log(p) + (1 - labels) * torch.log(1 - p)).mean()  # TS602


def clamped(scores):
    p = torch.sigmoid(scores).clamp(1e-6, 1 - 1e-6)
    return -torch.log(p).mean()  # safe: clamped


def largest(scores):
    return torch.log(F.softmax(scores, dim=-1).max(dim=-1).values)  # safe: the largest is never near 0


def unknown(p):
    return torch.log(p)  # safe: anything


def tempered(scores):
    p = F.softmax(scores, dim=-1) * 0.9 + 0.1 / scores.size(-1)
    return torch.log(p)  # safe: mixed with a uniform distribution


def masked(scores, mask):
    p = torch.where(mask, F.softmax(scores, dim=-1), torch.ones_like(scores))
    return p.log()  # safe: a value is put in the place of some


class Logged(nn.Module):
    def log(self, name, value):
        print(name, value)

    def training_step(self, x):
        self.log("p", torch.sigmoid(x))  # safe: no logarithm
