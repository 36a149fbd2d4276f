import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

PAD = 0


def causal(size):
    return torch.tril(torch.ones(size, size)).bool()


class Language(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.embedding = nn.Embedding(words, 32)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, batch_first=True), 2)
        self.head = nn.Linear(32, words)

    def forward(self, tokens):
        mask = causal(tokens.size(1)).to(tokens.device)
        return self.head(self.encoder(self.embedding(tokens), mask=mask))  # TS313


class Block(nn.Module):
    def __init__(self, size, window):
        super().__init__()
        self.attention = nn.MultiheadAttention(size, 4)
        self.register_buffer("later", torch.triu(torch.ones(window, window), diagonal=1))

    def forward(self, x, tokens):
        n = x.size(0)
        x = self.attention(x, x, x, attn_mask=self.later[:n, :n])[0]  # TS313
        padding = tokens != PAD
        x = self.attention(x, x, x, key_padding_mask=padding)[0]  # TS313
        return self.attention(x, x, x, attn_mask=self.later[:n, :n].bool(), key_padding_mask=~padding)[0]


class Head(nn.Module):
    def __init__(self, size, window):
        super().__init__()
        self.qkv = nn.Linear(size, 3 * size)
        self.register_buffer("past", torch.tril(torch.ones(window, window)).view(1, window, window))

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        n = x.size(1)
        right = scores.masked_fill(self.past[:, :n, :n] == 0, float("-inf"))  # safe: what is not past
        scores = scores.masked_fill(self.past[:, :n, :n] == 1, float("-inf"))  # TS313
        return F.softmax(scores, dim=-1) @ v + F.softmax(right, dim=-1) @ v


def function(q, k, v, lengths, tokens):
    n = q.size(-2)
    F.scaled_dot_product_attention(q, k, v, torch.ones(n, n, dtype=torch.bool).triu(1))  # TS313
    F.scaled_dot_product_attention(q, k, v, attn_mask=torch.tril(torch.ones(n, n)))  # TS313
    padding = (tokens == PAD)[:, None, None, :]
    F.scaled_dot_product_attention(q, k, v, attn_mask=padding)  # TS313
    within = torch.arange(n)[None, :] < lengths[:, None]
    F.scaled_dot_product_attention(q, k, v, attn_mask=within[:, None, None])  # safe: True is seen
    F.scaled_dot_product_attention(q, k, v, attn_mask=torch.tril(torch.ones(n, n)) == 1)  # safe


def lengths_of(x, lengths):
    attention = nn.MultiheadAttention(32, 4)
    within = torch.arange(x.size(0)) < lengths.unsqueeze(1)
    attention(x, x, x, within)  # TS313
    return attention(x, x, x, ~within)  # safe: what is beyond the end


def square(size):
    mask = (torch.triu(torch.ones(size, size)) == 1).transpose(0, 1)
    mask = mask.float().masked_fill(mask == 0, float("-inf"))  # safe: what is not past
    return mask.masked_fill(mask == 1, 0.0)  # safe: nothing is taken away


def additive(size):
    mask = torch.triu(torch.ones(size, size), diagonal=1)
    mask[mask == 1] = float("-inf")
    return mask


def later(size):
    mask = np.triu(np.ones((1, size, size)), k=1).astype("uint8")
    return torch.from_numpy(mask) == 0


def transformer(source, target, tokens):
    model = nn.Transformer(32, 4, 1, 1)
    size = target.size(0)
    model(
        source, target, tgt_mask=nn.Transformer.generate_square_subsequent_mask(size)
    )  # safe: minus infinity
    model(source, target, tgt_mask=square(size))  # safe: minus infinity
    model(source, target, tgt_mask=additive(size))  # safe: minus infinity
    model(source, target, tgt_mask=torch.triu(torch.ones(size, size) * float("-inf"), 1))  # safe as well
    model(source, target, src_key_padding_mask=tokens.eq(PAD))  # safe: True is hidden
    return model(source, target, src_key_padding_mask=tokens.ne(PAD))  # TS313


def annotated(scores, source, target):
    mask = (target != PAD).unsqueeze(-2) & later(target.size(-1))
    return scores.masked_fill(mask == 0, -1e9).softmax(dim=-1)  # safe: mask is True where it is seen


def pairs(similarity):
    seen_twice = torch.tril(torch.ones_like(similarity)).bool()
    return similarity.masked_fill(seen_twice, -torch.inf).max()  # safe: no attention, each pair once


def strictly_past(scores):
    mask = torch.tril(torch.ones(8, 8), diagonal=-1)
    return scores.masked_fill(mask == 0, -1e9).softmax(-1)  # safe: a position does not see itself


def given_by_callers(x, mask):
    return nn.MultiheadAttention(32, 4)(x, x, x, attn_mask=mask)  # safe: not known


def a_mask_already(x, mask):
    return nn.MultiheadAttention(32, 4)(
        x, x, x, key_padding_mask=mask != 0
    )  # safe: what it marks is not known
