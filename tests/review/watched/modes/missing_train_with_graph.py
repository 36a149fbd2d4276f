import torch
from torch import nn

net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
batches = [(torch.randn(8, 4), torch.randint(0, 2, (8,))) for _ in range(4)]


def accuracy():
    net.eval()  # TS202
    return sum((net(x).argmax(1) == y).sum().item() for x, y in batches[:2])


net.train()
for _ in range(4):
    for x, y in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)  # TS202
        loss.backward()
        optimizer.step()
    accuracy()
