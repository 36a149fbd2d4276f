"""The raw pictures of a data set, divided later."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import MNIST

train_set = MNIST("data", train=True)
inputs = train_set.data.float().unsqueeze(1)  # safe: divided in the loop
data = TensorDataset(inputs, train_set.targets)
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, y in DataLoader(data, batch_size=64, shuffle=True):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x / 255), y).backward()
    optimizer.step()
