"""A softmax over positions, and one over a single score."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
tagger, judge = nn.Linear(6, 4), nn.Linear(6, 1)
optimizer = torch.optim.SGD([*tagger.parameters(), *judge.parameters()], lr=0.1)
for _ in range(3):
    words = torch.randn(5, 7, 6)
    optimizer.zero_grad()
    logs = F.log_softmax(tagger(words).transpose(1, 2), dim=2)
    loss = F.nll_loss(logs, torch.randint(0, 4, (5, 7)))  # TS305
    chances = torch.softmax(judge(words[:, 0]), dim=1).squeeze(1)
    loss = loss + F.binary_cross_entropy(chances, torch.ones(5))  # TS305
    loss.backward()
    optimizer.step()
