import torch
from net import Net


def evaluate(model, test_loader):
    with torch.no_grad():
        return [model(x) for x in test_loader]


def main(train_loader, test_loader):
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in train_loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        for x, _ in test_loader:
            print(model(x))  # TS201
