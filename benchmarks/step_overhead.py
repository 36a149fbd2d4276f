"""What a step of the training loop costs beside the same plain loop.

An MLP 20-64-2, batches of 32 from the same tensors in memory, Adam, cross-entropy, one thread, the loss
summed on both sides. The sides run by turns, epoch by epoch, and medians are compared, so that a busy machine
slows all of them. `plain` takes each batch from the tensors by its indices; `presliced` gathers the shuffled
tensors once an epoch and splits them, the cheapest that a plain loop can do.

    python benchmarks/step_overhead.py --steps 1000 --repeats 15
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from torchstone.data.batches import TensorBatches
from torchstone.data.rows import TensorRows
from torchstone.training import loop
from torchstone.training.objective import Objective
from torchstone.training.settings import Settings
from torchstone.training.state import TrainState

BATCH = 32
LIMIT = 1.05
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "clip": {"clip": 1.0},
    "ema": {"average": "ema", "average_decay": 0.99},
}


def build(seed: int = 0) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))
    return net, torch.optim.Adam(net.parameters(), lr=1e-3)


def batches(
    inputs: Tensor, targets: Tensor, order: Tensor, presliced: bool
) -> Iterable[tuple[Tensor, Tensor]]:
    if presliced:
        return zip(inputs[order].split(BATCH), targets[order].split(BATCH), strict=True)
    chosen = (order[first : first + BATCH] for first in range(0, len(inputs), BATCH))
    return ((inputs[indices], targets[indices]) for indices in chosen)


def plain_epochs(
    inputs: Tensor, targets: Tensor, settings: dict[str, Any], *, presliced: bool = False
) -> Callable[[int], float]:
    """The loop that a careful user writes; a call trains that many epochs and gives seconds per step."""
    net, optimizer = build()
    loss_function = nn.CrossEntropyLoss()
    clip = settings.get("clip")
    average = None
    if "average" in settings:
        average = AveragedModel(
            net, multi_avg_fn=get_ema_multi_avg_fn(settings["average_decay"]), use_buffers=True
        )

    def run(epochs: int) -> float:
        start, steps = time.perf_counter(), 0
        for _ in range(epochs):
            net.train()
            total = torch.zeros(())
            order = torch.randperm(len(inputs))
            for x, y in batches(inputs, targets, order, presliced):
                optimizer.zero_grad()
                loss = loss_function(net(x), y)
                loss.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(net.parameters(), clip)
                optimizer.step()
                if average is not None:
                    average.update_parameters(net)
                total += loss.detach()
                steps += 1
            total.item()
        return (time.perf_counter() - start) / steps

    return run


def loop_epochs(inputs: Tensor, targets: Tensor, settings: dict[str, Any]) -> Callable[[int], float]:
    """`loop.train` with the default callbacks, as `ts.fit` calls it."""
    net, optimizer = build()
    shuffled = TensorBatches(TensorRows(inputs), targets, batch_size=BATCH, shuffle=True)
    objective = Objective(nn.CrossEntropyLoss())
    callbacks = default_callbacks()

    def run(epochs: int) -> float:
        asked = Settings(epochs=epochs, **settings)
        state = TrainState.create(net, optimizer, None, asked)
        start = time.perf_counter()
        loop.train(state, shuffled, None, objective, asked, callbacks=callbacks)
        return (time.perf_counter() - start) / state.step

    return run


def default_callbacks() -> list[Any]:
    """What `ts.fit` uses when it is given no callbacks: the display of progress."""
    from torchstone.training.callbacks.progress import Progress

    return [Progress()]


def measure(steps: int, repeats: int) -> list[dict[str, Any]]:
    """For each variant the median microseconds per step of each side, by turns, and their ratio."""
    torch.manual_seed(0)
    inputs, targets = torch.randn(steps * BATCH, 20), torch.randint(0, 2, (steps * BATCH,))
    rows = []
    for name, settings in VARIANTS.items():
        sides = {
            "plain": plain_epochs(inputs, targets, settings),
            "presliced": plain_epochs(inputs, targets, settings, presliced=True),
            "loop": loop_epochs(inputs, targets, settings),
        }
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        for repeat in range(repeats + 1):
            for side, run in sides.items():
                gc.collect()
                measured = run(1)
                if repeat:  # the first round warms up
                    seconds[side].append(measured)
        micro = {side: statistics.median(times) * 1e6 for side, times in seconds.items()}
        rows.append(
            {
                "variant": name,
                "plain_us": round(micro["plain"], 1),
                "presliced_us": round(micro["presliced"], 1),
                "loop_us": round(micro["loop"], 1),
                "ratio": round(micro["loop"] / micro["plain"], 4),
                "ratio_presliced": round(micro["loop"] / micro["presliced"], 4),
            }
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=1000, help="optimizer steps per measurement")
    parser.add_argument("--repeats", type=int, default=15, help="measurements per side")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure(arguments.steps, arguments.repeats)
    document = {
        "benchmark": "step_overhead",
        "limit": LIMIT,
        "steps": arguments.steps,
        "repeats": arguments.repeats,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rows": rows,
    }
    print(json.dumps(document, indent=None if arguments.json else 1))
    if not arguments.json:
        print(f"{'variant':10} {'plain':>9} {'presliced':>10} {'loop':>9} {'ratio':>7} {'presliced':>10}")
        for row in rows:
            print(
                f"{row['variant']:10} {row['plain_us']:7.1f}us {row['presliced_us']:8.1f}us "
                f"{row['loop_us']:7.1f}us {row['ratio']:7.3f} {row['ratio_presliced']:10.3f}"
            )
    return 0 if all(row["ratio"] <= LIMIT for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
