"""A character model: an embedding, a GRU, and dropout between them."""

import torch.nn.functional as F
from torch import nn


class CharRNN(nn.Module):
    def __init__(self, vocabulary, hidden=64, dropout=0.3):
        super().__init__()
        self.dropout = dropout
        self.embed = nn.Embedding(vocabulary, 32)
        self.rnn = nn.GRU(32, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocabulary)

    def forward(self, tokens, state=None):
        embedded = F.dropout(self.embed(tokens), self.dropout)  # TS204
        output, state = self.rnn(embedded, state)
        return self.out(output), state
