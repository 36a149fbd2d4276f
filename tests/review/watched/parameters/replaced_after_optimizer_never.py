"""Parts that are moved, added with a group of their own, made lazily by torch, or trained by hand."""

import torch
from torch import nn


def train(model, optimizer):
    for _ in range(6):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(16, 4)), torch.randint(2, (16,))).backward()
        optimizer.step()


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.LazyLinear(2))
model(torch.randn(2, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model.to("cpu", torch.float32)  # keeps the parameters
train(model, optimizer)

grown = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
optimizer = torch.optim.SGD(grown.parameters(), lr=0.1)
grown.append(nn.Linear(8, 2))
optimizer.add_param_group({"params": grown[2].parameters()})  # it learns of the new part
train(grown, optimizer)

for _ in range(2):
    folded = nn.Linear(4, 2)  # each fold has its own optimizer
    train(folded, torch.optim.Adam(folded.parameters()))

first = nn.Linear(4, 2)
optimizer = torch.optim.SGD(first.parameters(), lr=0.1)
first.scale = nn.Parameter(torch.ones(2))
for _ in range(6):
    optimizer.zero_grad()
    nn.functional.cross_entropy(first(torch.randn(16, 4)) * first.scale, torch.randint(2, (16,))).backward()
    optimizer.step()
    with torch.no_grad():
        first.scale -= 0.1 * first.scale.grad  # trained by hand
    first.scale.grad = None
