"""What watching costs: steps of models of several sizes, watched and unwatched in turns.

    OMP_NUM_THREADS=1 python benchmarks/watch_overhead.py [--rounds 7] [--only NAME]

Each round trains each model for a stretch of steps unwatched, then watched, in the same process; a watched
stretch begins anew, so that its first steps are looked at in full and its later ones are thinned, as in a
program of that many steps. One thread, processor time; medians over the rounds.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import torchstone as ts
from torchstone.review.watcher import Watcher

Step = Callable[[], None]


def training(model: nn.Module, batch: Callable[[], Any], classes: int, optimizer: type[Any]) -> Step:
    """A step as people write it."""
    moves = optimizer(model.parameters(), lr=1e-3)

    def step() -> None:
        inputs, targets = batch()
        moves.zero_grad()
        outputs = model(inputs)
        loss = nn.functional.cross_entropy(outputs.reshape(-1, classes), targets.reshape(-1))
        loss.backward()
        moves.step()

    return step


def loaded() -> Step:
    """The smallest model, given its batches by a shuffling `DataLoader`."""
    rows = TensorDataset(torch.randn(32 * 500, 20), torch.randint(0, 2, (32 * 500,)))
    loader = DataLoader(rows, batch_size=32, shuffle=True)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))
    return training(model, lambda: next(batches), 2, torch.optim.Adam)


def fixed(*inputs: torch.Tensor) -> Callable[[], Any]:
    return lambda: inputs


def mlp(sizes: list[int], rows: int) -> Step:
    layers: list[nn.Module] = []
    for wide, next_wide in itertools.pairwise(sizes):
        layers += [nn.Linear(wide, next_wide), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    data = fixed(torch.randn(rows, sizes[0]), torch.randint(0, sizes[-1], (rows,)))
    return training(model, data, sizes[-1], torch.optim.Adam)


def convolutional() -> Step:
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 49, 10)),
    )
    return training(
        model, fixed(torch.rand(16, 1, 28, 28), torch.randint(0, 10, (16,))), 10, torch.optim.AdamW
    )


class Recurrent(nn.Module):
    """Words through an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(500, 32), nn.LSTM(32, 64, batch_first=True)
        self.head = nn.Linear(64, 500)

    def forward(self, words: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.head(self.lstm(self.embedding(words))[0])


class Transformer(nn.Module):
    """Words through two layers of attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(500, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(64, 500)

    def forward(self, words: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.head(self.layers(self.embedding(words)))


def language(model: nn.Module) -> Step:
    words = torch.randint(0, 500, (16, 33))
    return training(model, fixed(words[:, :-1], words[:, 1:]), 500, torch.optim.AdamW)


def resnet() -> Step:
    from torchvision.models import resnet18

    data = fixed(torch.rand(2, 3, 96, 96), torch.randint(0, 10, (2,)))
    return training(resnet18(num_classes=10), data, 10, torch.optim.SGD)


MODELS: dict[str, tuple[Callable[[], Step], int]] = {
    "MLP 20-64-2, batch 32": (lambda: mlp([20, 64, 2], 32), 5000),
    "the same, from a DataLoader": (loaded, 5000),
    "MLP 100-256-256-10, batch 64": (lambda: mlp([100, 256, 256, 10], 64), 3000),
    "convnet 28 x 28, batch 16": (convolutional, 1000),
    "LSTM, 16 x 32 words": (lambda: language(Recurrent()), 1000),
    "transformer, 2 layers, 16 x 32 words": (lambda: language(Transformer()), 500),
    "ResNet-18, 2 pictures of 96 x 96": (resnet, 300),
}
"""Each model with the steps of one stretch."""


def seconds(step: Step, steps: int) -> float:
    """Seconds of this process per step of a stretch; what else the machine does is not in them."""
    began = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - began) / steps


def measure(make: Callable[[], Step], steps: int, rounds: int) -> tuple[float, float]:
    """Seconds per step without and with watching."""
    step = make()
    seconds(step, 20)
    plain, watched = [], []
    for _ in range(rounds):
        plain.append(seconds(step, steps))
        watcher = Watcher(codes=None)
        watcher.start()
        watched.append(seconds(step, steps))
        watcher.stop()
    return statistics.median(plain), statistics.median(watched)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torchstone {ts.__version__}, torch {torch.__version__}")
    print("| model | steps | unwatched | watched | ratio | more per step |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, (make, steps) in MODELS.items():
        if arguments.only in name:
            plain, watched = measure(make, steps, arguments.rounds)
            more = (watched - plain) * 1e6
            row = f"{plain * 1e3:.2f} ms | {watched * 1e3:.2f} ms | {watched / plain:.2f} | {more:.0f} µs"
            print(f"| {name} | {steps} | {row} |", flush=True)


if __name__ == "__main__":
    main()
