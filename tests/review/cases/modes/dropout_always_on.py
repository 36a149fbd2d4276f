import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.functional import dropout


class Net(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        x = F.dropout(x, self.rate)  # TS204
        return dropout(self.linear(x))  # TS204

    def attend(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=0.1)  # TS204

    def attend_by_rate(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=self.rate)  # TS204

    def right(self, q, k, v):
        rate = self.rate if self.training else 0.0
        q = F.dropout(q, self.rate, self.training)  # safe
        q = F.dropout(q, p=0.1, training=self.training)  # safe
        return F.scaled_dot_product_attention(q, k, v, dropout_p=rate)  # safe

    def guarded(self, x):
        if self.training:
            x = F.dropout(x)  # safe: only in training
        return F.scaled_dot_product_attention(x, x, x, dropout_p=0.0)  # safe: no dropout


class MCDropout(nn.Module):
    def forward(self, x):
        return F.dropout(x)  # safe: Monte Carlo dropout wants it


def corrupt(x):
    return F.dropout(x, 0.2)  # safe: noise on the input, no module


class Alpha(nn.Module):
    def forward(self, x):
        return F.alpha_dropout(x, 0.2) + torch.ones(1)  # safe: off by default
