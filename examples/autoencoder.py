"""An autoencoder: the inputs are the targets. Digits of 64 pixels go through 8 numbers and back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

import torchstone as ts

X = torch.tensor(load_digits().data / 16, dtype=torch.float32)
train, val = X[:1400], X[1400:]


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 8))
        self.decoder = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, pictures):
        return self.decoder(self.encoder(pictures))


def step(net, pictures, context):
    return F.mse_loss(net(pictures), pictures)


torch.manual_seed(0)
net = Autoencoder()
run = ts.fit(net, train, val, loss=None, step=step, optimizer=torch.optim.Adam, epochs=20, batch_size=32)
print(run.history.select("epoch", "train_loss", "val_loss"))

with torch.no_grad():
    error = F.mse_loss(net(val), val).item()
of_the_mean = F.mse_loss(train.mean(0).expand_as(val), val).item()
print(f"error of a pixel: {error:.4f}; of the mean picture: {of_the_mean:.4f}")
