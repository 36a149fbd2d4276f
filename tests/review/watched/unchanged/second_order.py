import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Dropout(0.2), nn.Linear(8, 8), nn.Softplus())
head = nn.Linear(8, 1)
optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=0.01)
for step in range(10):
    points = torch.randn(16, 3, requires_grad=True)
    optimizer.zero_grad()
    energy = head(checkpoint(body, points, use_reentrant=False))  # the forward is done twice
    (slope,) = torch.autograd.grad(energy.sum(), points, create_graph=True)
    loss = nn.functional.mse_loss(energy, points.sum(1, keepdim=True)) + 0.1 * slope.norm(dim=1).mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
