"""Targets of a type that the loss does not take."""

import contextlib

import torch
import torch.nn.functional as F
from torch import nn

model = nn.Linear(4, 3)
x = torch.randn(8, 4)
with contextlib.suppress(RuntimeError):
    nn.CrossEntropyLoss()(model(x), torch.zeros(8))  # TS307
with contextlib.suppress(RuntimeError):
    F.nll_loss(F.log_softmax(model(x), dim=1), torch.zeros(8, dtype=torch.int32))  # TS307
with contextlib.suppress(RuntimeError):
    F.binary_cross_entropy_with_logits(model(x), torch.ones(8, 3, dtype=torch.long))  # TS307
with contextlib.suppress(RuntimeError):
    F.binary_cross_entropy(model(x).sigmoid(), torch.ones(8, 3, dtype=torch.double))  # TS307
