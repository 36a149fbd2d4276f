"""Language models that see the token that they are to predict."""

import torch
from torch import nn
from torch.nn import functional as F


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.all, self.head = nn.Embedding(30, 16), nn.Linear(16, 48), nn.Linear(16, 30)

    def forward(self, ids):
        q, k, v = self.all(self.embed(ids)).chunk(3, -1)
        scores = q @ k.transpose(1, 2) / 4
        seen = torch.softmax(scores, -1) @ v  # TS313
        return self.head(seen)


class Library(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(30, 16), nn.Linear(16, 30)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, ids, labels):
        scores = self.head(self.layer(self.embed(ids)))  # TS313
        loss = F.cross_entropy(scores[:, :-1].reshape(-1, 30), labels[:, 1:].reshape(-1))
        return {"loss": loss, "scores": scores}


class Inverted(Own):
    def forward(self, ids):
        q, k, v = (part.unsqueeze(1) for part in self.all(self.embed(ids)).chunk(3, -1))
        later = torch.ones(ids.shape[1], ids.shape[1]).triu().bool()
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=later)  # TS313
        return self.head(seen.squeeze(1))


torch.manual_seed(0)
text = torch.randint(0, 30, (2000,))
for net in (Own(), Library(), Inverted()):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(8):
        pieces = torch.stack([text[i : i + 13] for i in torch.randint(0, 1900, (8,)).tolist()])
        if isinstance(net, Library):
            loss = net(pieces, pieces)["loss"]  # TS313
        else:
            scores = net(pieces[:, :-1])  # TS313
            loss = F.cross_entropy(scores.reshape(-1, 30), pieces[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
