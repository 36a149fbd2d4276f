"""Loaders that give raw numbers, which the loop or the model scales."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
pictures = torch.randint(0, 256, (80, 1, 8, 8)).float()
columns = torch.randn(80, 3) * torch.tensor([0.01, 1.0, 5000.0])
labels = torch.randint(0, 2, (80,))


class Scaling(nn.Module):
    """Divides by itself."""

    def __init__(self):
        super().__init__()
        self.layer, self.output = nn.Conv2d(1, 4, 3), nn.Linear(144, 2)

    def forward(self, x):
        return self.output(torch.relu(self.layer(x / 255)).flatten(1))


def learn(model, inputs, prepare=lambda x: x):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for x, y in DataLoader(TensorDataset(inputs, labels), batch_size=16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(prepare(x)), y).backward()
        optimizer.step()


learn(Scaling(), pictures)
learn(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), pictures, lambda x: x / 127.5 - 1)
# Normalised by the first layer, or right after it.
learn(nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)), columns)
learn(
    nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)), pictures
)
# Numbers of words: most are 0, few are large.
words = torch.poisson(torch.full((80, 50), 0.3))
words[3, 7] = 120.0
learn(nn.Linear(50, 2), words)
