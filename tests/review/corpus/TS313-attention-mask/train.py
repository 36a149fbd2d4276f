"""A small language model that learns a poem letter by letter."""

import torch
import torch.nn.functional as F
from model import Poet
from text import LETTERS, POEM, decode, encode, windows


def train(model, numbers, steps=120, batch=32):
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    model.train()
    for step in range(steps):
        x, y = windows(numbers, model.window, batch, generator)
        scores = model(x)
        loss = F.cross_entropy(scores.reshape(-1, len(LETTERS)), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            print(f"step {step} loss {loss.item():.3f}")


@torch.no_grad()
def write(model, start, length):
    model.eval()
    numbers = encode(start)[None]
    for _ in range(length):
        scores = model(numbers[:, -model.window :])[:, -1]
        numbers = torch.cat([numbers, scores.argmax(dim=-1, keepdim=True)], dim=1)
    return decode(numbers[0].tolist())


def main():
    torch.manual_seed(0)
    model = Poet(len(LETTERS))
    train(model, encode(POEM))
    print(write(model, "Once upon", 60))


if __name__ == "__main__":
    main()
