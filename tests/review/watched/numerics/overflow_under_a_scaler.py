import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=2.0**-40)
for _ in range(6):
    optimizer.zero_grad()
    loss = model(torch.randn(16, 4) * 100).square().mean()
    scaler.scale(loss).backward()  # safe: a scaler finds its scale by overflowing, and leaves those steps out
    scaler.step(optimizer)
    scaler.update()
