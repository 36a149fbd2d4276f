"""A label that means none, said and not said."""

import contextlib

import torch
import torch.nn.functional as F
from torch import nn

model = nn.Linear(4, 3)
x, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, -1, 2])
F.cross_entropy(model(x)[:4], labels[:4], ignore_index=3)
nn.NLLLoss(ignore_index=-1)(F.log_softmax(model(x[[0, 1, 4]]), dim=1), labels[[0, 1, 4]])
F.cross_entropy(model(x[:2])[..., None], torch.tensor([[0], [-100]]))
with contextlib.suppress(IndexError):
    F.cross_entropy(model(x[:4]), labels[:4])  # TS308
with contextlib.suppress(IndexError):
    F.cross_entropy(model(x[4:]), labels[4:])  # TS308
