"""What `torchstone check` costs, in user and system CPU time of a fresh process.

    python benchmarks/check_speed.py [FOLDER] [--repeat 5]

FOLDER is a checkout of pytorch/examples (or any other code), for the rows about many files. Must hold: one
file of 100 lines under 0.2 s, the folder cold under 2 s and warm under 0.3 s, a generated file of 20,000
lines under 5 s, memory under 300 MB. Other checkers that are installed (`torchfix`) are measured beside it.
Ends with status 1 when a budget is broken.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TORCHSTONE = str(Path(sys.executable).with_name("torchstone"))
MEGABYTES = 300

BLOCK = """
class Net{n}(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(10, width)
        self.second = nn.Linear(width, 3)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def train_{n}(loader, epochs):
    net = Net{n}(32)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        net.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(net(inputs), targets)
            loss.backward()
            optimizer.step()
    return net

"""


def program(lines: int) -> str:
    """A program of about so many lines that trains many networks."""
    return "import torch\nfrom torch import nn\n" + "".join(
        BLOCK.format(n=number) for number in range(lines // (BLOCK.count("\n")))
    )


def measure(command: list[str], folder: Path, repeat: int) -> float:
    """The median of the CPU seconds of a command."""
    seconds = []
    for _ in range(repeat):
        before = os.times()
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        after = os.times()
        assert result.returncode in (0, 1), result.stderr
        user, system = (
            after.children_user - before.children_user,
            after.children_system - before.children_system,
        )
        seconds.append(user + system)
    return statistics.median(seconds)


def main() -> int:
    """Measure, print the table and say which budget is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, help="a checkout of pytorch/examples")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each program; the median counts")
    arguments = parser.parse_args()
    rows: list[tuple[str, float, float | None]] = []
    cold = [TORCHSTONE, "check", ".", "--no-cache"]
    with tempfile.TemporaryDirectory() as name:
        for title, lines, budget in (("100 lines", 100, 0.2), ("20,000 lines", 20_000, 5.0)):
            folder = Path(name) / str(lines)
            folder.mkdir()
            (folder / "train.py").write_text(program(lines), encoding="utf-8")
            rows.append((f"{title}, cold", measure(cold, folder, arguments.repeat), budget))
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    if arguments.folder:
        rows += folder_rows(arguments.folder, cold, arguments.repeat)
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    broken = megabytes > MEGABYTES
    for title, seconds, budget in rows:
        over = budget is not None and seconds >= budget
        broken |= over
        told = "" if budget is None else f"  budget {budget} s{': BROKEN' if over else ''}"
        print(f"{seconds:7.2f} s  {title}{told}")
    print(f"{megabytes:7.0f} MB  most memory, 20,000 lines  budget {MEGABYTES} MB")
    return int(broken)


def folder_rows(folder: Path, cold: list[str], repeat: int) -> list[tuple[str, float, float | None]]:
    """A folder cold and warm, and by the other checkers that are there."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "code"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".git"))
        count = len(list(copy.rglob("*.py")))
        rows: list[tuple[str, float, float | None]] = [
            (f"{count} Python files, cold", measure(cold, copy, repeat), 2.0)
        ]
        measure(cold[:-1], copy, 1)
        rows.append((f"{count} Python files, warm", measure(cold[:-1], copy, repeat), 0.3))
        if peer := shutil.which("torchfix", path=str(Path(sys.executable).parent)):
            rows.append(
                (f"{count} Python files, torchfix", measure([peer, "--select", "ALL", "."], copy, 1), None)
            )
    return rows


if __name__ == "__main__":
    sys.exit(main())
