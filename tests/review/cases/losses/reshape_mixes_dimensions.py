import torch
from torch import nn


class Pool(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.heads = 4

    def forward(self, x):
        b, t, c = x.shape
        q = self.query(x)
        q = q.view(b, t, self.heads, c // self.heads).transpose(1, 2)  # safe: heads after the steps
        k = self.key(x)
        k = k.view(b, self.heads, t, c // self.heads)  # TS310
        return q @ k.transpose(-2, -1)


class State(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, num_layers=2, batch_first=True)
        self.single = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(32, 2)

    def forward(self, x):
        batch_size = x.size(0)
        _, state = self.gru(x)
        scores = self.head(state.view(batch_size, -1))  # TS310
        _, single = self.single(x)
        single = single.view(batch_size, -1)  # safe: one layer, one direction
        layers = state.view(2, -1, 16)  # safe: the layers stay in front
        return scores, single, layers, state.transpose(0, 1).reshape(batch_size, -1)


def feature_map(x):
    b, c, h, w = x.size()
    tokens = x.view(b, -1, c)  # TS310
    also = x.reshape(b, h * w, c)  # TS310
    back = x.view(b, h, w, c)  # TS310
    right = x.view(b, c, h * w).transpose(1, 2)  # safe: changes places
    flat = x.view(b * c, h, w), x.view(b, -1)  # safe: neighbours are joined
    return tokens, also, back, right, flat


def time_first(x):
    return x.view(x.size(1), x.size(0), -1)  # TS310


def one_more_dimension(x):
    return x.view(x.size(0), -1, x.size(1))  # safe: of (samples, features) this adds a dimension


def rel_shift(x):
    b, h, t, s = x.shape
    return x.view(b, h, s, t)[:, :, 1:]  # safe: relative attention moves its rows this way


def padded(x):
    x = torch.cat([torch.zeros(8, 1, 5), x], dim=1)
    b, t, s = x.shape
    return x.view(b, s, t)  # safe: as relative attention does


def changed(x, y):
    b, t, c = x.shape
    x = x.permute(1, 0, 2)
    return x.reshape(t, b, c), y.view(t, b, c)  # safe: the sizes are those of before
