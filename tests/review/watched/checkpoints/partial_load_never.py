"""States that arrive: a part, an adapter, a new head, or after a second try."""

import torch
from torch import nn

torch.manual_seed(0)


def net(classes):
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, classes))


model, state = net(2), net(3).state_dict()
del state["2.weight"], state["2.bias"]
model.load_state_dict(state, strict=False)  # all but the head
model(torch.randn(8, 4))

adapter = {"2.bias": torch.zeros(2)}
model.load_state_dict(adapter, strict=False)  # little, but all of it arrives
model(torch.randn(8, 4))

prefixed = {f"module.{name}": value for name, value in net(2).state_dict().items()}
result = model.load_state_dict(prefixed, strict=False)
if result.unexpected_keys:
    model.load_state_dict({name.removeprefix("module."): value for name, value in prefixed.items()})
model(torch.randn(8, 4))
