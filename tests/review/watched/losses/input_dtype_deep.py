import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, words):
        return self.layers(self.embedding(words).mean(1))  # TS317


words = torch.randint(0, 10, (8, 5)).float()  # TS317
Net()(words)
