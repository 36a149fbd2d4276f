"""Types that losses take, and losses that fail for another reason."""

import contextlib

import torch
import torch.nn.functional as F
from torch import nn

model = nn.Linear(4, 3)
x = torch.randn(8, 4)
F.cross_entropy(model(x), torch.zeros(8, dtype=torch.uint8))
F.cross_entropy(model(x), model(x).detach().softmax(dim=1))
F.mse_loss(model(x), torch.ones(8, 3, dtype=torch.long))
F.binary_cross_entropy_with_logits(model(x), torch.ones(8, 3))
with contextlib.suppress(ValueError):
    F.cross_entropy(model(x), torch.zeros(7, dtype=torch.long))
with contextlib.suppress(ValueError):
    F.binary_cross_entropy_with_logits(model(x), torch.ones(8))
