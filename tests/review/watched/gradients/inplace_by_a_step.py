import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))
critic = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
first = torch.optim.Adam(generator.parameters(), 1e-3)
second = torch.optim.Adam(critic.parameters(), 1e-3)
for _ in range(3):
    fake = generator(torch.randn(8, 4))
    score = critic(fake).mean()
    second.zero_grad()
    score.backward(retain_graph=True)
    second.step()  # TS112
    first.zero_grad()
    (-score).backward()  # TS112
    first.step()
