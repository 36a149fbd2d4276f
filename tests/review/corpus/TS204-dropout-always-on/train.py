"""Learns the rhythm of a short text, character by character, and writes some of its own."""

import torch
from model import CharRNN
from torch import nn

TEXT = """
the sea was calm and the sea was wide, the boat went out on the morning tide,
the wind was low and the sails were high, and a gull went by in the morning sky.
the sea was calm and the day was long, the boat came home with an evening song.
""".strip()


def encode(text):
    characters = sorted(set(text))
    index = {character: number for number, character in enumerate(characters)}
    return torch.tensor([index[character] for character in text]), characters


def batches(data, length, size):
    for _ in range(20):
        starts = torch.randint(0, len(data) - length - 1, (size,))
        x = torch.stack([data[s : s + length] for s in starts])
        y = torch.stack([data[s + 1 : s + length + 1] for s in starts])
        yield x, y


@torch.no_grad()
def sample(model, start, characters, count=60):
    model.eval()
    token, state, text = start.view(1, 1), None, ""
    for _ in range(count):
        logits, state = model(token, state)
        token = logits[:, -1].argmax(dim=-1, keepdim=True)
        text += characters[token.item()]
    return text


def main():
    torch.manual_seed(0)
    data, characters = encode(TEXT)
    model = CharRNN(len(characters))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(5):
        model.train()
        total = 0.0
        for x, y in batches(data, length=32, size=16):
            optimizer.zero_grad()
            logits, _ = model(x)
            loss = criterion(logits.flatten(0, 1), y.flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: {total / 20:.3f} {sample(model, data[0], characters)!r}")


if __name__ == "__main__":
    main()
