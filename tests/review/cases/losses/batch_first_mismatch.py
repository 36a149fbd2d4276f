import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader, TensorDataset


class LastStep(nn.Module):
    def __init__(self, words, hidden):
        super().__init__()
        self.embedding = nn.Embedding(words, 32)
        self.lstm = nn.LSTM(32, hidden, num_layers=2, bidirectional=True)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(2 * hidden, 2)

    def forward(self, tokens):
        output, (state, cell) = self.lstm(self.embedding(tokens))
        output = self.dropout(output)
        return self.head(output[:, -1, :])  # TS311


class OfState(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 8)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        _, state = self.gru(x)  # TS311
        return self.head(state[-1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift = nn.Linear(1, 16)
        layer = nn.TransformerEncoderLayer(16, 2, dim_feedforward=32)
        self.encoder = nn.TransformerEncoder(layer, num_layers=1)
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        return self.head(self.encoder(self.lift(x)).mean(dim=1))  # TS311


class LastSample(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(1, 8, batch_first=True)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][-1])  # TS311


class Right(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.GRU(1, 8, batch_first=True)
        self.second = nn.GRU(8, 8)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        output, state = self.first(x)
        output, state = self.second(output.transpose(0, 1))
        steps = self.head(output[-1])  # safe: time first, so this is the last step
        return steps + self.head(state[-1])  # safe: of the state, -1 is the last layer


def train():
    series = torch.sin(torch.linspace(0, 60, 1200)).reshape(60, 20, 1)
    loader = DataLoader(TensorDataset(series, torch.randn(60, 1)), batch_size=16, shuffle=True)
    models = OfState(), Attention(), LastSample(), Right()
    for x, y in loader:
        models[0](x)
        models[1](x)
        models[2](x)
        models[3](x)


def by_name(loader_size):
    series = torch.randn(60, 20, 1)
    of_state, attention, last_sample, right = OfState(), Attention(), LastSample(), Right()
    for x, _ in DataLoader(TensorDataset(series, series), batch_size=loader_size):
        of_state(x), attention(x), last_sample(x), right(x)


def flat(x):
    series = torch.randn(60, 20, 3)
    rnn = nn.RNN(3, 8)
    for (window,) in DataLoader(TensorDataset(series), batch_size=10):
        output, state = rnn(window)  # TS311
    return output


def one_sequence(steps):
    rnn = nn.LSTM(3, 8)
    output, _ = rnn(steps.view(len(steps), 1, -1))
    return output[:, -1]  # safe: a batch of one, made for it


def unbatched(steps):
    rnn = nn.LSTM(3, 8, batch_first=True)
    output, _ = rnn(steps)
    return output[-1]  # safe: without a batch the first dimension is time


def packed(x, lengths):
    rnn = nn.LSTM(3, 8)
    output, state = rnn(pack_padded_sequence(x, lengths, batch_first=True))
    output, _ = pad_packed_sequence(output, batch_first=True)
    return output[:, -1]  # safe here: the batch comes first after padding


def chosen(kind, x, **options):
    rnn = nn.GRU(3, 8, **options)
    output, _ = rnn(x)
    other = getattr(nn, kind)(3, 8)(x)[0]
    return output[:, -1], other[:, -1]  # safe: what the layers were asked for is not known


def last_feature(x):
    output, _ = nn.GRU(3, 8)(x)
    return output[..., -1]  # safe: a feature, not a step


def turned(loader_size):
    series = torch.randn(60, 20, 3)
    rnn = nn.RNN(3, 8)
    for (window,) in DataLoader(TensorDataset(series), batch_size=loader_size):
        output, _ = rnn(window.permute(1, 0, 2))  # safe: time first
        output, _ = rnn(window[0])  # safe: one sample, its steps first
    return output
