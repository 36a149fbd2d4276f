import torch
from torch import nn


class CharRNN(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.embedding = nn.Embedding(size, 8)
        self.lstm = nn.LSTM(8, 16, batch_first=True)
        self.head = nn.Linear(16, size)

    def forward(self, x, hidden=None):
        out, hidden = self.lstm(self.embedding(x), hidden)
        return self.head(out), hidden


class Detaching(CharRNN):
    def forward(self, x, hidden=None):
        out, hidden = self.lstm(self.embedding(x), hidden)
        return self.head(out), tuple(h.detach() for h in hidden)


def train(loader):
    model, criterion = CharRNN(30), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        hidden = None
        for x, y in loader:
            optimizer.zero_grad()
            output, hidden = model(x, hidden)  # TS114
            loss = criterion(output.view(-1, 30), y.view(-1))
            loss.backward()
            optimizer.step()


def two_parts(loader):
    lstm = nn.LSTM(4, 8)
    h, c = torch.zeros(1, 2, 8), torch.zeros(1, 2, 8)
    for x in loader:
        out, (h, c) = lstm(x, (h, c))  # TS114
        out.pow(2).mean().backward(retain_graph=True)


class Trainer:
    def __init__(self):
        self.model = CharRNN(30)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters())

    def update(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def fit(self, loader):
        state = None
        for x, y in loader:
            output, state = self.model(x, state)  # TS114
            self.update(self.criterion(output.flatten(0, 1), y.flatten()))


def repackage_hidden(h):
    return tuple(part.detach() for part in h)


def repackaged(loader):
    model = CharRNN(30)
    hidden = (torch.zeros(1, 2, 16), torch.zeros(1, 2, 16))
    for x, y in loader:
        hidden = repackage_hidden(hidden)
        output, hidden = model(x, hidden)  # safe: detached before
        nn.functional.cross_entropy(output.flatten(0, 1), y.flatten()).backward()


def detached_after(loader):
    gru = nn.GRU(4, 8)
    hidden = torch.zeros(1, 2, 8)
    for x in loader:
        out, hidden = gru(x, hidden)  # safe: detached after the step
        out.sum().backward()
        hidden = hidden.detach()


def detached_in_place(loader):
    gru = nn.GRU(4, 8)
    hidden = torch.zeros(1, 2, 8)
    for x in loader:
        out, hidden = gru(x, hidden)  # safe: detached in place
        out.sum().backward()
        hidden.detach_()


def unrolled(loader):
    cell = nn.GRU(4, 8)
    for sequence, y in loader:
        hidden = torch.zeros(1, 2, 8)
        for x in sequence:
            out, hidden = cell(x, hidden)  # safe: one backward after the sequence
        nn.functional.mse_loss(out, y).backward()


def fresh(loader):
    model = CharRNN(30)
    for x, y in loader:
        hidden = None
        output, hidden = model(x, hidden)  # safe: a new state for each batch
        nn.functional.cross_entropy(output.flatten(0, 1), y.flatten()).backward()


def inside_model(loader):
    model = Detaching(30)
    hidden = None
    for x, y in loader:
        output, hidden = model(x, hidden)  # safe: the model detaches
        nn.functional.cross_entropy(output.flatten(0, 1), y.flatten()).backward()


def generate(model_size, start):
    model, hidden = CharRNN(model_size), None
    for _ in range(10):
        start, hidden = model(start, hidden)  # safe: no backward
