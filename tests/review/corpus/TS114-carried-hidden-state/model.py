"""A character model."""

from torch import nn


class CharacterModel(nn.Module):
    def __init__(self, size, width=48):
        super().__init__()
        self.embedding = nn.Embedding(size, 16)
        self.rnn = nn.LSTM(16, width, batch_first=True)
        self.head = nn.Linear(width, size)

    def forward(self, x, state=None):
        output, state = self.rnn(self.embedding(x), state)
        return self.head(output), state
