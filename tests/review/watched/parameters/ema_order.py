"""An average that is taken before the step, in a function of its own."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn


def after_backward(average, model):
    average.update_parameters(model)  # TS517


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
average = AveragedModel(model, avg_fn=get_ema_avg_fn(0.99))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(6):
    loss = nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1))
    optimizer.zero_grad()
    loss.backward()
    after_backward(average, model)
    optimizer.step()  # TS517
