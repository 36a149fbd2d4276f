"""Fashion-MNIST: the guide's SimpleNN in ten epochs and the convolutional default, on the published test set.

Both are trained by `ts.train` with nothing but the name of the data; the 60,000 training pictures are divided
into training and validation by the run, the 10,000 published test pictures are read once at the end.

    python benchmarks/fashion_mnist.py --data FOLDER
    python benchmarks/fashion_mnist.py --data FOLDER --model convnet --seeds 3 --output results.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import torchstone as ts

GOALS = {"simple": 0.885, "convnet": 0.925}
OPTIONS: dict[str, dict[str, Any]] = {"simple": {"epochs": 10}, "convnet": {}}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds fashion-mnist/")
    parser.add_argument("--model", nargs="+", choices=list(GOALS), default=list(GOALS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path, help="a JSON file for all the numbers")
    arguments = parser.parse_args()
    results: dict[str, list[dict[str, float]]] = {}
    for model in arguments.model:
        for seed in range(arguments.seeds):
            measured = measure(arguments.data / "fashion-mnist", model, seed)
            results.setdefault(model, []).append(measured)
            print(f"{model}, seed {seed}: {measured}", file=sys.stderr, flush=True)
            if arguments.output:
                arguments.output.write_text(json.dumps(results, indent=1))
    print(markdown(results))


def measure(root: Path, model: str, seed: int) -> dict[str, float]:
    """One training, and its accuracy on the published test set."""
    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        run = ts.train(
            "torchvision:FashionMNIST",
            root=str(root),
            model=model,
            seed=seed,
            out=f"{scratch}/run",
            quiet=True,
            **OPTIONS[model],
        )
        seconds = time.perf_counter() - began
        evaluation = ts.evaluate(run, "test")
    accuracy, loss = (float(evaluation.metrics[key]["value"]) for key in ("accuracy", "log_loss"))
    return {"accuracy": accuracy, "log_loss": loss, "epochs": len(run.records), "seconds": seconds}


def markdown(results: dict[str, list[dict[str, float]]]) -> str:
    rows = [
        "| model | accuracy | goal | log loss | epochs | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for model, runs in results.items():
        mean = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
        deviation = float(np.std([run["accuracy"] for run in runs]))
        rows.append(
            f"| {model} | {mean['accuracy']:.4f} ± {deviation:.4f} | {GOALS[model]} | {mean['log_loss']:.4f} "
            f"| {mean['epochs']:.0f} | {mean['seconds']:.0f} |"
        )
    machine = (
        f"Python {platform.python_version()}, torch {torch.__version__}, {platform.system()}, "
        f"{os.cpu_count()} processors, {torch.get_num_threads()} threads."
    )
    return "\n".join([*rows, "", machine])


if __name__ == "__main__":
    main()
