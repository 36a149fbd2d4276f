import numpy as np
import torch
from torch import nn


class Scaled(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.scale = nn.Parameter(torch.from_numpy(np.ones(size)))  # safe: the model is converted as a whole


model = Scaled(3).float()
model = model.float()
