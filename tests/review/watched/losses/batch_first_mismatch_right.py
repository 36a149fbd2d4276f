"""Batches that are turned round, layers that take the samples first, and loaders that give steps."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.first = nn.LSTM(6, 8), nn.GRU(6, 8, batch_first=True)
        self.embed = nn.Embedding(10, 8)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16), 1, enable_nested_tensor=False
        )
        self.head = nn.Linear(24, 2)

    def forward(self, pictures, tokens):
        steps, _ = self.lstm(pictures.squeeze(1).permute(1, 0, 2))
        own, _ = self.first(pictures.squeeze(1))
        words = self.encoder(self.embed(tokens).transpose(0, 1))
        return self.head(torch.cat([steps[-1], own[:, -1], words[0]], dim=1))


torch.manual_seed(0)
pictures, tokens = torch.randn(32, 1, 5, 6), torch.randint(0, 10, (32, 7))
data = TensorDataset(pictures, tokens, torch.randint(0, 2, (32,)))
model = Rows()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for size in (5, 7, 8):  # as many samples as rows, as many as words
    for x, words, labels in DataLoader(data, batch_size=size, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x, words), labels).backward()
        optimizer.step()

weather = TensorDataset(torch.randn(40, 3, 6))  # 40 hours at three places
memory = nn.LSTM(6, 6)
adam = torch.optim.Adam(memory.parameters())
for (hours,) in DataLoader(weather, batch_size=8):  # steps in their order: the places are the samples
    adam.zero_grad()
    output, _ = memory(hours)
    nn.functional.mse_loss(output[:-1], hours[1:]).backward()
    adam.step()
