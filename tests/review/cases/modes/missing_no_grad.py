import torch
from torch import nn


def evaluate(model, val_loader):
    model.eval()
    return [model(x) for x in val_loader]


def main(val_loader, val_batches):
    model = nn.Linear(4, 2)
    model.eval()
    for x, y in val_loader:
        print(model(x), y)  # safe: whoever calls main may have switched recording off
    with torch.inference_mode():
        for x, y in val_loader:
            print(model(x), y)  # safe


@torch.no_grad()
def decorated(val_loader):
    model = nn.Linear(4, 2)
    model.eval()
    for x, y in val_loader:
        print(model(x), y)  # safe: the decorator


test_loader = torch.utils.data.DataLoader([])
model = nn.Linear(4, 2)
model.eval()
for x in test_loader:
    print(model(x))  # TS203
with torch.no_grad():
    decorated(test_loader)
    for x in test_loader:
        print(model(x))  # safe
for x in test_loader:
    model(x).sum().backward()  # safe: gradients are wanted
