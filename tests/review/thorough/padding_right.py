"""Padding that is left out, or that is the same for all batches."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8, padding_idx=0)
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 2)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        return self.head(self.gru(packed)[1][-1])


class LastStep(Packed):
    def forward(self, ids, lengths):
        out, _ = self.gru(self.embed(ids))
        return self.head(out[torch.arange(len(ids)), lengths - 1])  # each sequence's own last step


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8, padding_idx=0)
        self.head = nn.Linear(8, 2)

    def forward(self, ids, lengths):
        return self.head(self.embed(ids).sum(1) / lengths[:, None])  # padding is zero in the sum


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8, padding_idx=0)
        self.layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)
        self.head = nn.Linear(8, 2)

    def forward(self, ids, lengths):
        return self.head(self.layer(self.embed(ids), src_key_padding_mask=ids == 0)[:, 0])


class Convolution(nn.Module):
    """The greatest over all places: padding adds nothing that was not there."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8, padding_idx=0)
        self.convolution = nn.Conv1d(8, 16, 3, padding=1)
        self.head = nn.Linear(16, 2)

    def forward(self, ids, lengths):
        return self.head(self.convolution(self.embed(ids).transpose(1, 2)).relu().amax(2))


class ZeroMeansZero(nn.Module):
    """Zero is a token like others here."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, ids, lengths):
        return self.head(self.embed(ids).mean(1))


class FixedLength(ZeroMeansZero):
    """All batches are filled up to the same length: a sample's output does not depend on others."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8, padding_idx=0)

    def forward(self, ids, lengths):
        return super().forward(ids, lengths)


def collate(samples):
    lengths = torch.tensor([len(s) for s, _ in samples])
    return (
        pad_sequence([s for s, _ in samples], batch_first=True),
        lengths,
        torch.tensor([y for _, y in samples]),
    )


def to_twelve(samples):
    ids, lengths, labels = collate(samples)
    return nn.functional.pad(ids, (0, 12 - ids.shape[1])), lengths, labels


torch.manual_seed(0)
sequences = [torch.randint(1, 50, (int(n),)) for n in torch.randint(3, 12, (128,))]
sequences[0] = torch.randint(1, 50, (12,))
data = [(sequence, int(sequence.float().mean() > 25)) for sequence in sequences]
for kind in (Packed, LastStep, Mean, Attention, Convolution, ZeroMeansZero, FixedLength):
    net = kind()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    together = to_twelve if kind is FixedLength else collate
    for ids, lengths, labels in DataLoader(data, batch_size=8, shuffle=True, collate_fn=together):
        loss = nn.functional.cross_entropy(net(ids, lengths), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
