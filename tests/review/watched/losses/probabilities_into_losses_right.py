"""Losses that get what they want."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
experts = nn.Linear(4, 6)
optimizer = torch.optim.SGD([*model.parameters(), *experts.parameters()], lr=0.1)
labels = torch.randint(0, 3, (16,))
for _ in range(3):
    x = torch.randn(16, 4)
    optimizer.zero_grad()
    scores = model(x)
    loss = F.cross_entropy(scores, scores.detach().softmax(dim=1))  # soft labels
    loss = loss + F.cross_entropy(F.log_softmax(scores, dim=1), labels)  # once more changes nothing
    loss = loss + F.cross_entropy(10 * F.normalize(scores).sigmoid(), labels)  # bounded scores, scaled
    flags = (labels == 1).float()
    gates = torch.sigmoid(scores[:, :1])
    loss = loss + F.binary_cross_entropy_with_logits((gates * scores)[:, 1], flags)  # a gate within
    loss = loss + F.binary_cross_entropy_with_logits(x[:, 0].clamp(0, 1) * scores[:, 2], flags)
    mixture = (experts(x).view(16, 2, 3).softmax(dim=2)).mean(dim=1)
    loss = loss + F.nll_loss((mixture + 1e-8).log(), labels)  # a mixture, with a little for log's sake
    loss = loss + F.nll_loss(F.log_softmax(scores, dim=1), labels)
    loss.backward()
    optimizer.step()
