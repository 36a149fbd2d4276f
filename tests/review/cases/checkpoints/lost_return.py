import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.relu = nn.ReLU()
        self.fast = nn.ReLU(inplace=True)
        self.positional = nn.ReLU(True)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x):
        x = self.conv(x)
        self.relu(x)  # TS809
        self.fast(x)  # safe: in place
        self.positional(x)  # safe: in place
        self.norm(x)  # safe: moves its running statistics
        F.dropout(x, 0.5, training=self.training)  # TS809
        F.relu(x, inplace=True)  # safe: in place
        torch.relu_(x)  # safe: in place
        return x


def mask(scores, hidden):
    weights = torch.matmul(scores, scores)
    weights.masked_fill(hidden, float("-inf"))  # TS809
    weights.masked_fill_(hidden, float("-inf"))  # safe: in place
    return weights.softmax(-1)


def scaled(values):
    torch.clamp(values, 0, 1)  # TS809
    torch.clamp(values, 0, 1, out=values)  # safe: written to where `out` says
    return values


def unused(values):
    torch.exp(values)  # safe: nothing uses the values afterwards as if they had changed
    values = torch.zeros(3)
    return values


def benchmark(values):
    torch.exp(values)  # safe: timed
    return values


def raises(values):
    try:
        torch.add(values, 1)  # safe: tried
    except RuntimeError:
        return None
    return values


def of_a_set(seen, values):
    seen.add(values)  # safe: not a tensor
    return seen
