"""Logarithms of probabilities, and of both."""

import torch
from torch import nn

torch.manual_seed(0)
student, teacher = nn.Linear(8, 4), nn.Linear(8, 4).requires_grad_(False)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
for _ in range(6):
    x = torch.randn(16, 8)
    own, other = student(x).log_softmax(dim=1), teacher(x).log_softmax(dim=1)
    loss = nn.functional.kl_div(own, other.exp(), reduction="batchmean")
    loss = loss + nn.functional.kl_div(own, other, reduction="batchmean", log_target=True)
    loss = loss + nn.functional.kl_div((own.exp() + 1e-8).log(), other.exp(), reduction="batchmean")
    loss = loss + nn.functional.kl_div(own[:, :1], other[:, :1].exp(), reduction="batchmean")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
