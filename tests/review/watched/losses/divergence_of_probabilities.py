"""A student's probabilities are given where their logarithms belong."""

import torch
from torch import nn

torch.manual_seed(0)
student, teacher = nn.Linear(8, 4), nn.Linear(8, 4).requires_grad_(False)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
divergence = nn.KLDivLoss(reduction="batchmean")
for _ in range(4):
    x = torch.randn(16, 8)
    loss = divergence(student(x).softmax(dim=1), teacher(x).softmax(dim=1))  # TS304
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
