import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x, padding):
        scores = self.query(x) @ self.key(x).transpose(1, 2)
        scores = scores.masked_fill(padding.unsqueeze(1), float("-inf"))
        return scores.softmax(2) @ x  # TS601


torch.manual_seed(0)
model = Attention()
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for lengths in ((3, 5), (2, 4), (0, 5)):
    padding = torch.arange(5) >= torch.tensor(lengths).unsqueeze(1)
    optimizer.zero_grad()
    model(torch.randn(2, 5, 4), padding).square().mean().backward()
    optimizer.step()
