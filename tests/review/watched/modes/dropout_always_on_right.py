"""Dropout that follows the mode, or is wanted in evaluation."""

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.layer = nn.Dropout(0.5)
        self.attention = nn.MultiheadAttention(4, 2, dropout=0.1, batch_first=True)
        self.rate = 0.1

    def forward(self, x):
        x = self.layer(F.dropout(self.linear(x), self.rate, self.training))
        x, _ = self.attention(x, x, x)
        x = F.dropout(x, p=0.0)
        rate = self.rate if self.training else 0.0
        return F.scaled_dot_product_attention(x, x, x, dropout_p=rate)


class Bootstrapped(Net):
    def forward(self, x):
        return F.dropout(super().forward(x), 0.1, training=True)  # many answers to one question


torch.manual_seed(0)
for model in (Net(), Bootstrapped()):
    model(torch.randn(2, 3, 4))
    model.eval()
    with torch.no_grad():
        model(torch.randn(2, 3, 4))
        model.layer.train()  # Monte Carlo dropout
        model(torch.randn(2, 3, 4))
noise = F.dropout(torch.ones(4), 0.5)  # no model has a part in it
