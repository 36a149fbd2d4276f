"""A table with the healthy first and the ill behind, in its order: each batch is of one class."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Patients(Dataset):
    def __init__(self, count):
        generator = torch.Generator().manual_seed(count)
        self.ill = torch.arange(count) >= count // 2
        self.rows = torch.randn(count, 6, generator=generator) + 0.5 * self.ill[:, None]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return {"inputs": self.rows[index], "label": self.ill[index].float()}


loader = DataLoader(Patients(320), batch_size=16, drop_last=True)  # TS401
model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _epoch in range(2):
    for batch in loader:  # TS401
        optimizer.zero_grad()
        scores = model(batch["inputs"]).squeeze(1)
        nn.functional.binary_cross_entropy_with_logits(scores, batch["label"]).backward()
        optimizer.step()
