"""A transform that works in place on what the data set stores."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset


class Signals(Dataset):
    def __init__(self):
        self.signals = np.random.default_rng(0).normal(3.0, 2.0, (60, 16)).astype(np.float32)
        self.labels = [index % 2 for index in range(60)]

    def __len__(self):
        return 60

    def __getitem__(self, index):
        signal = torch.from_numpy(self.signals[index])
        return signal.div_(2.0), self.labels[index]  # TS412


train_loader = DataLoader(Subset(Signals(), range(40)), batch_size=10, shuffle=True)
model = nn.Linear(16, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _epoch in range(3):
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
