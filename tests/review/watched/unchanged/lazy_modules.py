"""Modules that learn their sizes from the first batch, before there is an optimizer."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(
    nn.LazyConv2d(4, 3),
    nn.LazyBatchNorm2d(),
    nn.ReLU(),
    nn.Flatten(),
    nn.LazyLinear(16),
    nn.ReLU(),
    nn.LazyLinear(3),
)
model.to("cpu").float().cpu()  # of the few methods that parameters without a shape have
images = torch.randn(96, 1, 6, 6)
labels = images.flatten(1)[:, :3].argmax(1)
data = torch.utils.data.TensorDataset(images[:64], labels[:64])
loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
model.eval()
with torch.no_grad():
    print(model(images[:2]).shape)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(4):
    model.train()
    for batch, targets in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch), targets)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print(epoch, nn.functional.cross_entropy(model(images[64:]), labels[64:]).item())
