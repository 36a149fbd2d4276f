"""A text in memory, as batches of characters."""

import torch

TEXT = (
    "the quick brown fox jumps over the lazy dog and the dog sleeps on while the fox runs through the "
    "wood where the owl sits on a branch and looks at the moon that shines on the river "
) * 8
ALPHABET = sorted(set(TEXT))


def encode(text):
    return torch.tensor([ALPHABET.index(letter) for letter in text])


def batches(rows, length):
    codes = encode(TEXT)
    columns = len(codes) // rows
    table = codes[: rows * columns].view(rows, columns)
    for start in range(0, columns - length - 1, length):
        yield table[:, start : start + length], table[:, start + 1 : start + length + 1]
