"""High rates that fit: adapters that begin at zero, inputs that are optimized, a line search."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
nn.init.zeros_(model[2].weight)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for _ in range(8):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.randn(16, 8)), torch.randint(2, (16,))).backward()
    optimizer.step()

picture = (0.01 * torch.randn(4, 8)).requires_grad_()
optimizer = torch.optim.Adam([picture], lr=1.0)
for _ in range(8):
    optimizer.zero_grad()
    model(picture).pow(2).mean().backward()
    optimizer.step()

optimizer = torch.optim.LBFGS(model.parameters(), lr=1.0)
x, y = torch.randn(16, 8), torch.randint(2, (16,))


def closure():
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    return loss


for _ in range(6):
    optimizer.step(closure)
