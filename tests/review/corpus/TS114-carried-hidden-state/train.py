# ends in an error
"""Learns the next character; the state goes on from one part of the text to the next."""

import torch
from model import CharacterModel
from text import ALPHABET, batches
from torch import nn


class Learner:
    def __init__(self, model):
        self.model = model
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def update(self, logits, y):
        loss = self.criterion(logits.flatten(0, 1), y.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def train(learner, model, epochs):
    model.train()
    for epoch in range(epochs):
        state = None
        losses = []
        for x, y in batches(rows=4, length=20):
            logits, state = model(x, state)  # TS114
            losses.append(learner.update(logits, y))
        print(f"epoch {epoch}: loss {sum(losses) / len(losses):.3f}")


@torch.no_grad()
def continue_text(model, length=30):
    model.eval()
    code, state, letters = torch.zeros(1, 1, dtype=torch.long), None, []
    for _ in range(length):
        logits, state = model(code, state)
        code = logits[:, -1:].argmax(-1)
        letters.append(ALPHABET[code.item()])
    return "".join(letters)


def main():
    torch.manual_seed(0)
    model = CharacterModel(len(ALPHABET))
    train(Learner(model), model, epochs=3)
    print(continue_text(model))


if __name__ == "__main__":
    main()
