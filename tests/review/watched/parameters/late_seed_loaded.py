"""The weights that were there before the seed are not those that are trained."""

import torch
from torch import nn

loaded, anew = nn.Linear(8, 2), nn.Linear(8, 2)
torch.manual_seed(0)
loaded.load_state_dict(nn.Linear(8, 2).state_dict())
anew.reset_parameters()
for model in (anew, loaded):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.zero_grad()
    model(torch.randn(16, 8)).pow(2).mean().backward()
    optimizer.step()
