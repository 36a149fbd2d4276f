"""A sampler for several processes that is never told which epoch it is."""

import torch
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

data = TensorDataset(torch.randn(32, 4), torch.randn(32, 1))
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)


def train(sampler, tells):
    loader = DataLoader(data, batch_size=4, sampler=sampler)
    for epoch in range(3):
        if tells:
            sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()


train(DistributedSampler(data, num_replicas=2, rank=0), tells=True)
train(DistributedSampler(data, num_replicas=2, rank=1, shuffle=False), tells=False)  # no order to change
