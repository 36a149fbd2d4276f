"""Rows of pictures, and tokens, whose samples come first, in layers that want the steps first."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 8)
        self.embed = nn.Embedding(10, 8)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16), 1, enable_nested_tensor=False
        )
        self.head = nn.Linear(16, 2)

    def forward(self, pictures, tokens):
        steps, _ = self.lstm(pictures.squeeze(1))  # TS311
        words = self.encoder(self.embed(tokens))  # TS311
        return self.head(torch.cat([steps[:, -1], words[:, 0]], dim=1))


torch.manual_seed(0)
data = TensorDataset(torch.randn(32, 1, 5, 6), torch.randint(0, 10, (32, 7)), torch.randint(0, 2, (32,)))
loader = DataLoader(data, batch_size=8, shuffle=True)
model = Rows()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for pictures, tokens, labels in loader:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(pictures, tokens), labels).backward()
    optimizer.step()
