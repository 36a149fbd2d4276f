import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x):
        return self.layer(x)


def whole_loop(loader):
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.no_grad():
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)  # TS108
            loss.backward()
            optimizer.step()


@torch.no_grad()
def predict(model, x):
    return model(x)  # TS108


def helper(loader):
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        loss = ((predict(model, x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()


class Trainer:
    def __init__(self):
        self.model = Net()
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.Adam(self.model.parameters())

    @torch.inference_mode()
    def evaluate(self, x, y):
        return self.criterion(self.model(x), y)  # TS108

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = self.evaluate(x, y)
            loss.backward()
            self.optimizer.step()


def frozen_features(loader):
    features, head = Net(), nn.Linear(1, 1)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    for x, y in loader:
        with torch.no_grad():
            hidden = features(x)  # safe: the head is trained on them
        optimizer.zero_grad()
        nn.functional.mse_loss(head(hidden), y).backward()
        optimizer.step()


def target_network(loader):
    online, target = Net(), Net()
    optimizer = torch.optim.SGD(online.parameters(), lr=0.1)
    for x, y in loader:
        with torch.no_grad():
            wanted = y + 0.9 * target(x)  # safe: a target
        loss = nn.functional.mse_loss(online(x), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def validation(train_loader, loader):
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)  # safe: no backward


def generator_sample(loader):
    generator, discriminator = nn.Linear(4, 4), Net()
    optimizer = torch.optim.Adam(discriminator.parameters())
    for real in loader:
        with torch.no_grad():
            fake = generator(torch.randn(8, 4))  # safe: the discriminator is trained
        optimizer.zero_grad()
        (discriminator(fake).mean() - discriminator(real).mean()).backward()
        optimizer.step()


def adversarial(model, x, y):
    delta = torch.zeros_like(x, requires_grad=True)
    with torch.no_grad():
        clean = model(x)  # safe: gradients of delta are wanted
    (clean + delta).pow(2).sum().backward()
    return delta.grad


def switched(loader, train):
    model = Net()
    for x, y in loader:
        with torch.set_grad_enabled(train):
            loss = nn.functional.mse_loss(model(x), y)  # safe: recorded in training
            if train:
                loss.backward()
