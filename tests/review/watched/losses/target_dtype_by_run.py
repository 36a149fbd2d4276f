import numpy as np
import torch
from torch import nn


def batches():
    for _ in range(2):
        yield torch.randn(8, 4), torch.from_numpy(np.zeros(8))


model = nn.Linear(4, 3)
for x, y in batches():
    nn.functional.cross_entropy(model(x), y)  # TS307
