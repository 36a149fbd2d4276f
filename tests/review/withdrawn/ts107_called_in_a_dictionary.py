"""What looks like data is the output of the model that is trained, given by a call that no reader follows."""

import torch
from torch import nn

torch.manual_seed(0)
teacher, student = nn.Linear(4, 2), nn.Linear(4, 2)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
wanted = torch.randn(16, 4)


def update(inputs):
    loss = (inputs - teacher(wanted).detach()).square().mean()  # TS107
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


for _ in range(6):
    globals()["update"](student(wanted))
