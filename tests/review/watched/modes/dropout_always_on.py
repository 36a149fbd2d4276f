"""Dropout that evaluation mode cannot switch off."""

import torch
import torch.nn.functional as F
from torch import nn


def shake(x):
    return F.dropout(x, 0.1)  # TS204


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        x = shake(self.linear(x))
        x = F.dropout2d(x[..., None], p=0.2)[..., 0]  # TS204
        return F.scaled_dot_product_attention(x, x, x, dropout_p=0.1)  # TS204


torch.manual_seed(0)
model = Net()
model(torch.randn(2, 3, 4))
model.eval()
with torch.no_grad():
    for _ in range(3):
        model(torch.randn(2, 3, 4))
