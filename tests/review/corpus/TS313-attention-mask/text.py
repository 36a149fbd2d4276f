"""Letters of a poem as numbers."""

import torch

POEM = """
Once upon a midnight dreary, while I pondered, weak and weary,
Over many a quaint and curious volume of forgotten lore,
While I nodded, nearly napping, suddenly there came a tapping,
As of some one gently rapping, rapping at my chamber door.
"""

LETTERS = sorted(set(POEM))
NUMBER = {letter: number for number, letter in enumerate(LETTERS)}


def encode(text):
    return torch.tensor([NUMBER[letter] for letter in text])


def decode(numbers):
    return "".join(LETTERS[number] for number in numbers)


def windows(numbers, size, count, generator):
    """Pieces of the poem, and the same pieces one letter later."""
    starts = torch.randint(0, len(numbers) - size - 1, (count,), generator=generator)
    x = torch.stack([numbers[start : start + size] for start in starts.tolist()])
    y = torch.stack([numbers[start + 1 : start + size + 1] for start in starts.tolist()])
    return x, y
