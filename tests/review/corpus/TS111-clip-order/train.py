"""Learns the next character, gradients clipped."""

import torch
from model import CharacterModel
from text import ALPHABET, batches
from torch import nn
from torch.nn.utils import clip_grad_norm_


class Learner:
    def __init__(self, model, limit=0.5):
        self.model = model
        self.limit = limit
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

    def update(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        clip_grad_norm_(self.model.parameters(), self.limit)  # TS111

    def epoch(self):
        total = count = 0
        self.model.train()
        for x, y in batches(rows=4, length=20):
            logits, _ = self.model(x)
            loss = self.criterion(logits.flatten(0, 1), y.flatten())
            self.update(loss)
            total += loss.item()
            count += 1
        return total / count


def main():
    torch.manual_seed(0)
    learner = Learner(CharacterModel(len(ALPHABET)))
    for number in range(3):
        print(f"epoch {number}: loss {learner.epoch():.3f}")


if __name__ == "__main__":
    main()
