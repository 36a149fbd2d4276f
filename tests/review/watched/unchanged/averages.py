"""Weights that are averaged: by hand over all steps, and by torch over the last epochs, with new statistics."""

import copy

import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
smooth = copy.deepcopy(model).eval().requires_grad_(False)
mean = AveragedModel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3)
late = SWALR(optimizer, swa_lr=0.02)
inputs = torch.randn(160, 6)
targets = inputs[:, :3].argmax(1)
data = torch.utils.data.TensorDataset(inputs[:128], targets[:128])
loader = torch.utils.data.DataLoader(data, batch_size=32, shuffle=True)
for epoch in range(6):
    model.train()
    for batch, labels in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(batch), labels).backward()
        optimizer.step()
        with torch.no_grad():
            for kept, new in zip(smooth.state_dict().values(), model.state_dict().values(), strict=True):
                if kept.is_floating_point():
                    kept.lerp_(new, 0.1)
                else:
                    kept.copy_(new)
    if epoch < 3:
        schedule.step()
    else:
        mean.update_parameters(model)
        late.step()
    with torch.no_grad():
        print(epoch, smooth(inputs[128:]).argmax(1).eq(targets[128:]).float().mean().item())
update_bn(loader, mean)  # in training mode, without gradients
mean.eval()
with torch.inference_mode():
    print(mean(inputs[128:]).argmax(1).eq(targets[128:]).float().mean().item())
