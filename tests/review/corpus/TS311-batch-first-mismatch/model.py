from torch import nn


class Encoder(nn.Module):
    def __init__(self, inputs, hidden, layers, dropout):
        super().__init__()
        self.rnn = nn.GRU(inputs, hidden, num_layers=layers, dropout=dropout)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x):
        return self.norm(self.rnn(x)[0][:, -1])  # TS311


class WaveClassifier(nn.Module):
    def __init__(self, classes, hidden=24, layers=2, dropout=0.1):
        super().__init__()
        self.encoder = Encoder(1, hidden, layers, dropout)
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes))

    def forward(self, x):
        return self.head(self.encoder(x))
