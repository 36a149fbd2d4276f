import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x):
        return self.layer(x)


def flat(loader):
    model, criterion = Net(), nn.MSELoss()
    for x, y in loader:
        loss = criterion(model(x), y)
        loss.backward(retain_graph=True)  # TS106


class Trainer:
    def __init__(self):
        self.model = Net()
        self.criterion = nn.MSELoss()

    def fit(self, loader):
        for x, y in loader:
            output = self.model(x)
            loss = self.criterion(output, y)
            loss.backward(retain_graph=True)  # TS106


def gan(loader):
    generator, discriminator = nn.Linear(4, 4), Net()
    for real in loader:
        fake = generator(torch.randn(8, 4))
        discriminator(fake).mean().backward(retain_graph=True)  # safe: used again below
        (-discriminator(fake).mean()).backward()


def outside(x):
    outputs = Net()(x)
    for number in range(8):
        outputs[number].sum().backward(retain_graph=True)  # safe: one graph for all rounds


def recurrent(loader):
    gru = nn.GRU(4, 8)
    hidden = torch.zeros(1, 2, 8)
    for x in loader:
        out, hidden = gru(x, hidden)  # TS114
        out.sum().backward(retain_graph=True)  # safe: needed, as long as the state is carried


def unseen(loader, model):
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward(retain_graph=True)  # safe: what the model keeps cannot be seen


def shared_features(loader):
    encoder, head = Net(), nn.Linear(1, 1)
    features = encoder(torch.randn(8, 4))
    for y in loader:
        loss = nn.functional.mse_loss(head(features), y)
        loss.backward(retain_graph=True)  # safe: the encoder's graph is used in each round


class Remembering(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 8)
        self.hidden = None

    def forward(self, x):
        out, self.hidden = self.gru(x, self.hidden)
        return out


def remembering(loader):
    model = Remembering()
    for x in loader:
        loss = model(x).sum()
        loss.backward(retain_graph=True)  # safe: the model goes on from its own state
