"""A critic with a penalty on its slope, five steps of it for one of the generator."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
makes = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.9))
judges = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9))
points = torch.randn(256, 2) * 0.3 + torch.tensor([1.0, -1.0])
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(points), batch_size=32, shuffle=True)
for epoch in range(4):
    for number, (real,) in enumerate(loader):
        with torch.no_grad():
            fake = generator(torch.randn(len(real), 4))
        share = torch.rand(len(real), 1)
        between = (share * real + (1 - share) * fake).requires_grad_(True)
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).pow(2).mean()
        judges.zero_grad()
        distance = critic(fake).mean() - critic(real).mean()
        (distance + 10 * penalty).backward()
        judges.step()
        if number % 5 == 4:
            critic.requires_grad_(False)  # gradients go through it, not to it
            makes.zero_grad()
            loss = -critic(generator(torch.randn(32, 4))).mean()
            loss.backward()
            makes.step()
            critic.requires_grad_(True)
    print(epoch, distance.item(), loss.item())
generator.eval()
with torch.no_grad():
    print(generator(torch.randn(8, 4)).mean(0).tolist())
