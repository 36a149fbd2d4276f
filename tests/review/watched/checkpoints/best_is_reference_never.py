"""States that are copied, fresh, or given to another model."""

import copy
import io

import torch
from torch import nn

torch.manual_seed(0)
model, target = nn.Linear(4, 2), nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
own = model.state_dict()  # follows the model, as a view of it
copied, saved = None, io.BytesIO()
for step in range(4):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).pow(2).mean().backward()
    optimizer.step()
    target.load_state_dict(own)  # another model is given the values of now
    model.load_state_dict(model.state_dict())  # nothing happened in between
    if step == 1:
        copied = copy.deepcopy(model.state_dict())
        torch.save(model.state_dict(), saved)
model.load_state_dict(copied)
saved.seek(0)
model.load_state_dict(torch.load(saved, weights_only=True))
