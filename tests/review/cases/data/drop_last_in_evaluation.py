import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets


def evaluate(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct


def train(model, loader, optimizer):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def main(train_set, val_set, kwargs, fast):
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True, drop_last=True)  # safe: training
    val_loader = DataLoader(val_set, batch_size=32, drop_last=True)  # TS409
    test_loader = DataLoader(val_set, batch_size=32, drop_last=False)  # safe: all samples
    eval_loader = DataLoader(val_set, **kwargs, drop_last=True)  # safe: its arguments cannot be read
    dev_loader = DataLoader(val_set, batch_size=32, drop_last=fast)  # safe: not always
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        train(model, train_loader, optimizer)
        print(evaluate(model, val_loader), evaluate(model, train_loader))
    return [evaluate(model, loader) for loader in (test_loader, eval_loader, dev_loader)]


class Trainer:
    def __init__(self, data):
        self.model = nn.Linear(4, 2)
        self.test_loader = DataLoader(data, 64, shuffle=True, drop_last=True)  # TS409

    @torch.no_grad()
    def test(self):
        total = 0.0
        for x, y in self.test_loader:
            total += nn.functional.cross_entropy(self.model(x), y).item()
        return total / len(self.test_loader)


def recurrent(data):
    test_loader = DataLoader(data, batch_size=50, drop_last=True)  # safe: the state has the batch's size
    model = nn.LSTM(8, 16, batch_first=True)
    hidden = (torch.zeros(1, 50, 16), torch.zeros(1, 50, 16))
    outputs = []
    with torch.no_grad():
        for (x,) in test_loader:
            output, hidden = model(x, hidden)
            outputs.append(output)
    return outputs


def finetuned_on_test():
    data = TensorDataset(torch.randn(10, 4), torch.randint(0, 2, (10,)))
    test_loader = DataLoader(data, batch_size=4, drop_last=True)  # safe: trained on
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in test_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def shown(data):
    test_loader = DataLoader(data, batch_size=4, drop_last=True)  # safe: nothing is evaluated
    for x, _ in test_loader:
        print(x.shape)


def one_by_one(model, val_set):
    val_loader = DataLoader(val_set, batch_size=1, drop_last=True)  # safe: no batch of one is incomplete
    return evaluate(model, val_loader)


def filled():
    model = nn.Linear(4, 2)
    mnist = datasets.MNIST("data", train=False)
    test_loader = DataLoader(mnist, batch_size=100, drop_last=True)  # safe: there are 10,000
    val_set = TensorDataset(torch.randn(300, 4), torch.randint(0, 2, (300,)))
    val_loader = DataLoader(val_set, batch_size=100, drop_last=True)  # safe: three batches
    dev_loader = DataLoader(mnist, batch_size=512, drop_last=True)  # TS409
    correct = 0
    with torch.no_grad():
        for x, y in dev_loader:
            correct += (model(x).argmax(1) == y).sum().item()
        for x, y in test_loader:
            correct += (model(x).argmax(1) == y).sum().item()
        for x, y in val_loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct
