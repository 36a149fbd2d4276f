"""Scaled gradients that are unscaled in time."""

import torch
from torch import nn

torch.manual_seed(0)
model, other = nn.Linear(4, 2), nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
plain = torch.optim.SGD(other.parameters(), lr=0.1)
scaler, disabled = torch.amp.GradScaler("cpu"), torch.amp.GradScaler("cpu", enabled=False)


def backward(scaler):
    optimizer.zero_grad()
    scaler.scale(model(torch.randn(8, 4)).pow(2).mean()).backward()


for _ in range(4):
    backward(scaler)
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    # Another optimizer has nothing to do with the scaler.
    plain.zero_grad()
    other(torch.randn(8, 4)).pow(2).mean().backward()
    nn.utils.clip_grad_norm_(other.parameters(), 1.0)
    plain.step()

for _ in range(4):  # the limit is scaled too
    backward(scaler)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0 * scaler.get_scale())
    scaler.step(optimizer)
    scaler.update()

for _ in range(4):  # divided by hand
    backward(scaler)
    for parameter in model.parameters():
        parameter.grad.div_(scaler.get_scale())
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()

for _ in range(4):  # a scaler that is switched off does nothing
    backward(disabled)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    disabled.step(optimizer)
    disabled.update()
