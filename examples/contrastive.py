"""Contrastive learning in the way of SimCLR (Chen et al. 2020): an embedding of digits without their labels.

Each picture is seen twice, moved and noisy. The two views of a picture should be near each other and far from
all other pictures of the batch. The labels are looked at only afterwards, by a nearest-neighbour classifier.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

import torchstone as ts

digits = load_digits()
X = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)


class Embedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 4 * 4, 64),
        )  # fmt: skip
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(64, 32))

    def forward(self, pictures):
        return F.normalize(self.head(self.features(pictures)), dim=1)


def view(pictures):
    """The pictures moved by at most one pixel, lighter or darker, each in its own way, and noisy."""
    moves = torch.randint(-1, 2, (len(pictures), 2), device=pictures.device)
    places = torch.arange(8, device=pictures.device)
    rows = (places + moves[:, :1]).clamp(0, 7)
    columns = (places + moves[:, 1:]).clamp(0, 7)
    batch = torch.arange(len(pictures), device=pictures.device)
    moved = pictures[batch[:, None, None], 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)
    contrast = 0.6 + 0.8 * torch.rand(len(pictures), 1, 1, 1, device=pictures.device)
    return moved * contrast + 0.1 * torch.randn_like(moved)


def step(net, pictures, context, temperature=0.5):
    one, other = net(view(pictures)), net(view(pictures))
    similarity = one @ other.T / temperature
    partners = torch.arange(len(pictures), device=pictures.device)
    return (F.cross_entropy(similarity, partners) + F.cross_entropy(similarity.T, partners)) / 2


def neighbours_accuracy(features):
    """How well ten labelled pictures of each class tell the class of the last 397 pictures."""
    labelled = [index for digit in range(10) for index in (digits.target[:1400] == digit).nonzero()[0][:10]]
    knn = KNeighborsClassifier(1).fit(features[labelled], digits.target[labelled])
    return knn.score(features[1400:], digits.target[1400:])


torch.manual_seed(0)
net = Embedding()
run = ts.fit(
    net,
    X[:1400],
    loss=None,
    step=step,
    optimizer=lambda parameters: torch.optim.Adam(parameters, lr=3e-3),
    epochs=25,
    batch_size=128,
)
print(run.history.select("epoch", "train_loss"))

with torch.no_grad():
    learned = neighbours_accuracy(net.features(X))
pixels = neighbours_accuracy(X.flatten(1))
print(f"nearest of 100 labelled digits: {learned:.1%} right by the embedding, {pixels:.1%} by pixels")
