import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    def __init__(self):
        self.points = torch.randn(96, 4)

    def __len__(self):
        return 96

    def __getitem__(self, index):
        point = self.points[index]
        return point + 0.1 * torch.randn(4) * random.random(), (point.sum() > 0).long()


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
loader = DataLoader(Noisy(), batch_size=16, shuffle=True, num_workers=2, persistent_workers=True)
for epoch in range(2):
    for points, targets in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(points), targets).backward()
        optimizer.step()
    print(epoch, points.sum().item())
del loader
