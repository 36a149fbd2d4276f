"""A softmax over the classes, wherever they stand, and comparisons in both directions."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
tagger, pictures, texts = nn.Linear(6, 4), nn.Linear(6, 4), nn.Linear(6, 4)
optimizer = torch.optim.SGD([*tagger.parameters(), *pictures.parameters(), *texts.parameters()], lr=0.1)
for _ in range(3):
    words = torch.randn(5, 7, 6)
    optimizer.zero_grad()
    logs = F.log_softmax(tagger(words), dim=-1)
    loss = F.nll_loss(logs.transpose(1, 2), torch.randint(0, 4, (5, 7)))
    loss = loss + F.nll_loss(logs.view(-1, 4), torch.randint(0, 4, (35,)))
    alike = pictures(words[:, 0]) @ texts(words[:, 0]).T
    loss = loss + F.nll_loss(F.log_softmax(alike, dim=1), torch.arange(5))
    loss = loss + F.nll_loss(F.log_softmax(alike, dim=0), torch.arange(5))  # texts to pictures
    weights = torch.softmax(tagger(words)[..., :1], dim=1)  # which word counts
    loss = loss + F.mse_loss((weights * words).sum(dim=1), words[:, 0])
    loss.backward()
    optimizer.step()
