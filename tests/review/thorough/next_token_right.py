"""Models that look at all positions and may, and language models that look back alone."""

import torch
from torch import nn
from torch.nn import functional as F


class Causal(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.all, self.head = nn.Embedding(30, 16), nn.Linear(16, 48), nn.Linear(16, 30)
        self.drop = nn.Dropout(0.2)

    def forward(self, ids):
        q, k, v = (part.unsqueeze(1) for part in self.all(self.embed(ids)).chunk(3, -1))
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(self.drop(seen.squeeze(1)))


class Masked(Causal):
    """Attention of its own, with a mask of its own."""

    def forward(self, ids):
        q, k, v = self.all(self.embed(ids)).chunk(3, -1)
        later = torch.ones(ids.shape[1], ids.shape[1]).triu(1).bool()
        scores = (q @ k.transpose(1, 2) / 4).masked_fill(later, -1e9)
        return self.head(torch.softmax(scores, -1) @ v)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.head = nn.Embedding(30, 16), nn.LSTM(16, 16), nn.Linear(16, 30)

    def forward(self, ids):
        return self.head(self.lstm(self.embed(ids).transpose(0, 1))[0]).transpose(0, 1)


class Everywhere(Causal):
    """BERT: looks at all positions, and predicts the tokens that were hidden."""

    def forward(self, ids):
        q, k, v = self.all(self.embed(ids)).chunk(3, -1)
        return self.head(torch.softmax(q @ k.transpose(1, 2) / 4, -1) @ v)


class Translator(nn.Module):
    """The decoder looks back in what it writes, and at all of what it reads."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(30, 16), nn.Linear(16, 30)
        self.both = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)

    def forward(self, source, target):
        later = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.head(self.both(self.embed(source), self.embed(target), tgt_mask=later))


class Pictures(nn.Module):
    """ViT: looks at all patches."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Linear(12, 16), nn.Linear(16, 3)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, x):
        return self.head(self.layer(self.embed(x)).mean(1))


torch.manual_seed(0)
text = torch.randint(0, 30, (2000,))
for kind in (Causal, Masked, Recurrent, Everywhere, Translator, Pictures):
    net = kind()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(10):
        pieces = torch.stack([text[i : i + 13] for i in torch.randint(0, 1900, (8,)).tolist()])
        inputs, targets = pieces[:, :-1], pieces[:, 1:]
        if kind is Everywhere:
            hidden = torch.rand(pieces.shape) < 0.2
            hidden[:, 0] = True
            scores = net(pieces.masked_fill(hidden, 29))
            loss = F.cross_entropy(scores.flatten(0, 1), pieces.masked_fill(~hidden, -100).flatten())
        elif kind is Pictures:
            loss = F.cross_entropy(net(torch.randn(8, 9, 12)), torch.randint(0, 3, (8,)))
        else:
            scores = net(pieces.flip(1), inputs) if kind is Translator else net(inputs)
            loss = F.cross_entropy(scores.reshape(-1, 30), targets.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
