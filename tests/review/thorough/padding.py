"""Batches are filled up to their longest sequence, and the model reads on in the padding."""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8, padding_idx=0)
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 2)

    def forward(self, ids):
        out, _ = self.gru(self.embed(ids))  # TS312
        return self.head(out[:, -1])


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8, padding_idx=0)
        self.head = nn.Linear(8, 2)

    def forward(self, ids):
        return self.head(self.embed(ids).mean(1))  # TS312


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8, padding_idx=0)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, ids):
        return self.head(self.layer(self.embed(ids))[:, 0])  # TS312


def collate(samples):
    return pad_sequence([s for s, _ in samples], batch_first=True), torch.tensor([y for _, y in samples])


torch.manual_seed(0)
sequences = [torch.randint(1, 50, (int(n),)) for n in torch.randint(3, 12, (128,))]
data = [(sequence, int(sequence.float().mean() > 25)) for sequence in sequences]
for net in (Recurrent(), Mean(), Attention()):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for ids, labels in DataLoader(data, batch_size=8, shuffle=True, collate_fn=collate):
        loss = nn.functional.cross_entropy(net(ids), labels)  # TS312
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
