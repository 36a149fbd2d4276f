import torch
from torch import nn


class Attention(nn.Module):
    """One head of attention that looks back."""

    def __init__(self, width, window):
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.register_buffer("past", torch.tril(torch.ones(window, window)))

    def forward(self, x):
        steps, width = x.shape[1:]
        scores = self.query(x) @ self.key(x).transpose(-2, -1) * width**-0.5
        scores = scores.masked_fill(self.past[:steps, :steps] == 1, -1e9)  # TS313
        return torch.softmax(scores, dim=-1) @ self.value(x)


class Block(nn.Module):
    def __init__(self, width, window):
        super().__init__()
        self.attention = Attention(width, window)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attention(self.first(x))
        return x + self.feed(self.second(x))


class Poet(nn.Module):
    def __init__(self, letters, width=32, window=32, depth=2):
        super().__init__()
        self.window = window
        self.letters = nn.Embedding(letters, width)
        self.places = nn.Embedding(window, width)
        self.blocks = nn.Sequential(*(Block(width, window) for _ in range(depth)))
        self.head = nn.Linear(width, letters)

    def forward(self, numbers):
        places = torch.arange(numbers.size(1), device=numbers.device)
        return self.head(self.blocks(self.letters(numbers) + self.places(places)))
