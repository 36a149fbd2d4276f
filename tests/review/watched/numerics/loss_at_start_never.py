"""First losses that are as they should be, or far from guessing on purpose."""

import copy

import torch
from torch import nn

torch.manual_seed(0)
functional = nn.functional
inputs = torch.randn(64, 8)
encoder = nn.Linear(8, 16)
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.01)
# Contrastive losses and those with a margin are sharpened by a temperature or a scale.
one, other = (functional.normalize(encoder(inputs + 0.1 * torch.randn(64, 8)), dim=1) for _ in range(2))
loss = functional.cross_entropy(one @ other.flip(0).T / 0.02, torch.arange(64))
loss = loss + functional.cross_entropy(64 * (one @ other.flip(0).T), torch.arange(64))
# Classes that are weighted, and sums, have another scale.
many = nn.Linear(8, 100)
loss = loss + functional.cross_entropy(many(inputs), torch.randint(100, (64,)), reduction="sum")
# So few targets say nothing.
loss = loss + functional.cross_entropy(100 * inputs[:4] @ many.weight.T, torch.arange(4))
# Targets whose mean is zero.
loss = loss + functional.mse_loss(encoder(inputs), 3 * torch.randn(64, 16))
# A first guess at values that a network gave: they may lie anywhere.
critic = nn.Linear(8, 1)
target_critic = copy.deepcopy(critic)
with torch.no_grad():
    returns = 100 + target_critic(inputs)
loss = loss + functional.mse_loss(critic(inputs), returns)
loss.backward()
# Weights that were learned before.
pretrained = nn.Linear(8, 10)
pretrained.load_state_dict({"weight": 10 * torch.randn(10, 8), "bias": torch.zeros(10)})
functional.cross_entropy(pretrained(inputs), torch.randint(10, (64,))).backward()
optimizer.step()
