"""Values that are read now and then, read from the CPU, and tensors that are moved once or change."""

import torch
from torch import nn

model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
schedule, table = torch.zeros(3), torch.zeros(3)
table.to("meta")
fixed = [torch.randn(8, 4) for _ in range(4)]
total = 0.0
for step in range(70):
    optimizer.zero_grad()
    x = torch.randn(8, 4)
    x.to("meta")  # another batch each time
    fixed[step % 4].to("meta")  # batches that are kept on the host, one after the other
    schedule += 0.1
    schedule.to("meta")  # has changed
    loss = model(x).square().mean()
    loss.backward()
    optimizer.step()
    total += loss.item()  # on the CPU
    if step % 16 == 0:
        print(loss)
        table.to("meta")  # now and then
