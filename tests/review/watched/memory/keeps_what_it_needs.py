"""Outputs that are kept for good reasons, or not at all."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

inputs, targets = torch.randn(96, 4), torch.randint(0, 2, (96,))
loader = DataLoader(TensorDataset(inputs, targets), batch_size=8)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

outputs, labels = [], []
for x, y in loader:
    outputs.append(model(x))  # training goes back through all of them
    labels.append(y)
nn.functional.cross_entropy(torch.cat(outputs), torch.cat(labels)).backward()

with torch.no_grad():
    scores = [model(x) for x, _ in loader]  # nothing is recorded

best = None
for x, _ in loader:
    best = model(x)  # the last one alone is there

few = [model(x).detach() for x, _ in loader]

wide = nn.Linear(4, 2**19, device="meta").eval()
with torch.no_grad():
    pixels = [wide(x.to("meta")).sum(1) for x, _ in loader]  # a number of each sample
    two = [wide(x.to("meta")) for x in inputs.split(48)]  # less than is worth a word
print(len(scores), best.shape, len(few), len(pixels), len(two))
