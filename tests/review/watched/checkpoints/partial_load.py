"""A state with a prefix, of which nothing arrives."""

import torch
from torch import nn

torch.manual_seed(0)
state = {f"module.{name}": value for name, value in nn.Linear(4, 2).state_dict().items()}
model = nn.Linear(4, 2)
print(model.load_state_dict(state, strict=False))  # TS803
model(torch.randn(8, 4))  # TS803
