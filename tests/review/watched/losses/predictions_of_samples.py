"""Where the largest is taken over the first dimension for a reason."""

import torch
from torch import nn

inputs, targets = torch.randn(40, 4), torch.randint(0, 4, (40,))
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for x, y in zip(inputs.split(4), targets.split(4), strict=True):
    optimizer.zero_grad()
    output = model(x)
    nn.functional.cross_entropy(output, y).backward()
    optimizer.step()
    right = (output.argmax(1) == y).sum()
    best = output.argmax(0)  # the best sample of each class
    chosen = y[best] == torch.arange(4)  # and whether it is one of it
nn.functional.cross_entropy(model(inputs), targets).backward()
with torch.no_grad():
    for x, y in zip(inputs.split(4), targets.split(4), strict=True):
        by_class = model(x).T.contiguous()
        right = (by_class.argmax(0) == y).sum()  # the classes come first here

images, texts = nn.Linear(4, 8), nn.Linear(4, 8)
optimizer = torch.optim.SGD([*images.parameters(), *texts.parameters()], lr=0.01)
for x in inputs.split(4):
    optimizer.zero_grad()
    scores = images(x) @ texts(x).T
    pairs = torch.arange(4)
    loss = nn.functional.cross_entropy(scores, pairs) + nn.functional.cross_entropy(scores.T, pairs)
    loss.backward()
    optimizer.step()
    right = (scores.argmax(0) == pairs).sum()  # each text's image
