import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), 0.1)
total = 0
for _ in range(4):
    loss = net(torch.randn(8, 4)).square().mean()
    total = total + loss
    opt.zero_grad()
    total.backward()  # TS113
    opt.step()
