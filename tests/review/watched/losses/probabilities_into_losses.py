"""Probabilities where the loss wants scores, through views and copies."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
labels = torch.randint(0, 3, (16,))
for _ in range(3):
    x = torch.randn(16, 4)
    optimizer.zero_grad()
    scores = model(x)
    loss = F.cross_entropy(scores.softmax(dim=-1).view(4, 4, 3).reshape(-1, 3), labels)  # TS301
    loss = loss + F.cross_entropy(torch.sigmoid(scores), labels)  # TS301
    flags = (labels == 1).float()
    loss = loss + F.binary_cross_entropy_with_logits(torch.sigmoid(scores)[:, 1], flags)  # TS302
    loss = loss + F.nll_loss(scores, labels)  # TS304
    loss = loss + F.nll_loss(scores.softmax(dim=1).clone(), labels)  # TS304
    loss.backward()
    optimizer.step()
