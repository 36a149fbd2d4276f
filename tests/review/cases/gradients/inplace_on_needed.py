import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.norm = nn.LayerNorm(size)
        self.feed = nn.Sequential(nn.Linear(size, size), nn.ReLU())
        self.act = nn.ReLU()

    def forward(self, x, mask):
        weights = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2), dim=-1)
        weights[mask] = 0  # TS112
        weights.masked_fill_(mask, 0)  # TS112
        x += self.feed(self.norm(x))  # TS112
        return weights @ x


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.bn = nn.BatchNorm2d(3)
        self.act = nn.ReLU()

    def forward(self, x):
        out = self.act(self.bn(self.conv(x)))
        out += x  # TS112
        return out


class Right(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.bn = nn.BatchNorm2d(3)

    def forward(self, x):
        identity = x
        out = self.bn(self.conv(x))
        out += identity  # safe: BatchNorm does not need its output
        out = F.relu(out)
        out = out + x
        boxes = out.sigmoid()
        if not self.training:
            boxes[..., 0] *= 2  # safe: only outside of training
        scale = torch.exp(torch.arange(4.0))
        scale *= 2  # safe: no gradient goes through it
        length = x.shape[0]
        length += 1  # safe: a number
        return F.gelu(out).mul_(scale)  # safe: gelu keeps its input


def by_hand(loader):
    weight = torch.randn(4, 1, requires_grad=True)
    for x, y in loader:
        loss = ((x @ weight - y) ** 2).mean()
        loss.backward()
        weight -= 0.1 * weight.grad  # TS112


def by_hand_right(loader):
    weight = torch.randn(4, 1, requires_grad=True)
    for x, y in loader:
        loss = ((x @ weight - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            weight -= 0.1 * weight.grad  # safe: not recorded
        weight.data -= 0.1 * weight.grad  # safe
        weight.grad.zero_()  # safe: the gradient is no leaf


@torch.no_grad()
def decode(model, x):
    boxes = torch.sigmoid(model(x))
    boxes *= 2  # safe: not recorded
    return boxes


def flat(loader):
    model = nn.Linear(4, 4)
    for x in loader:
        out = F.relu(model(x))
        out[0] = 0  # TS112
        out.sum().backward()


def rebound(loader):
    model = nn.Linear(4, 4)
    for x in loader:
        out = F.relu(model(x))
        out = out.clone()
        out[0] = 0  # safe: a copy
        out.sum().backward()
