"""The raw pictures of a data set."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import MNIST

train_set = MNIST("data", train=True)
inputs = train_set.data.float().unsqueeze(1)  # TS407
data = TensorDataset(inputs, train_set.targets)
parameters = [parameter.data.float() for parameter in nn.Linear(2, 2).parameters()]  # safe: no pictures
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, y in DataLoader(data, batch_size=64, shuffle=True):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
