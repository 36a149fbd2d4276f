"""Labels that do not come in any order, and are no mistake."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

torch.manual_seed(0)
inputs = torch.randn(320, 6)
labels = torch.arange(4).repeat_interleave(80)
model = nn.Linear(6, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


class Groups(Sampler):
    """Eight of one class after the other, as losses over pairs want them."""

    def __iter__(self):
        for start in torch.randperm(40).tolist():
            yield from range(8 * start, 8 * start + 8)

    def __len__(self):
        return 320


def train(loader, steps=True):
    optimizer.zero_grad()
    for x, y in loader:
        (nn.functional.cross_entropy(model(x), y) / (1 if steps else len(loader))).backward()
        if steps:
            optimizer.step()
            optimizer.zero_grad()
    if not steps:
        optimizer.step()


train(DataLoader(TensorDataset(inputs, labels), batch_size=16, sampler=Groups()))
# One step for the whole data: the order of its sum is of no account.
train(DataLoader(TensorDataset(inputs, labels), batch_size=16), steps=False)
# A record in time: what goes on lasts, and comes back.
states = torch.arange(40).repeat_interleave(8) % 3
train(DataLoader(TensorDataset(inputs, states), batch_size=16))
# Nearly all are of one class.
train(DataLoader(TensorDataset(inputs, (torch.arange(320) > 317).long()), batch_size=16))
# Evaluated only, in the order of the file.
with torch.no_grad():
    model.eval()
    held_out = DataLoader(TensorDataset(torch.randn(320, 6), labels), batch_size=16)
    print(sum((model(x).argmax(1) == y).sum().item() for x, y in held_out))
