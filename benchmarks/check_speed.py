"""What `torchstone check` costs, in user and system CPU time of a fresh process.

    python benchmarks/check_speed.py [FOLDER] [--repeat 5] [--torchfix PROGRAM] [--dslinter PROGRAM]

FOLDER is a checkout of pytorch/examples (or any other code), for the rows about many files. Must hold: one
file of 100 lines under 0.2 s, the folder cold under 2 s and warm under 0.3 s, a generated file of 20,000
lines under 5 s, memory under 300 MB. Other checkers are measured beside it, each in an environment of its
own: `--torchfix` is its program, `--dslinter` a `pylint` that has the plugin; one that is not given is said
to be absent. All programs have their bytecode, as installed packages have; a row tells what the same costs
where Python may write none and a checkout has none. Ends with status 1 when a budget is broken.
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

Peers = dict[str, list[str] | None]
"""The command of each other checker, None where it is absent."""
_DSLINTER = ("--load-plugins=dslinter", "--disable=all", "--enable=dslinter", "--score=n")

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


def measure(command: list[str], folder: Path, repeat: int, *, bytecode: bool = True) -> float:
    """The median of the CPU seconds of a command, after one run that is not counted.

    Args:
        command: the program and its arguments.
        folder: the current folder.
        repeat: how many runs.
        bytecode: whether modules are compiled once, in the first run, or in each.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "check-speed")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if not bytecode:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        del environment["PYTHONPYCACHEPREFIX"]  # the standard library keeps the bytecode that it came with
    seconds = []
    for _ in range(repeat + 1):
        before = os.times()
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        after = os.times()
        assert "Traceback" not in result.stderr, result.stderr
        user, system = (
            after.children_user - before.children_user,
            after.children_system - before.children_system,
        )
        seconds.append(user + system)
    return statistics.median(seconds[1:])


def main() -> int:
    """Measure, print the table and say which budget is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, help="a checkout of pytorch/examples")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each program; the median counts")
    parser.add_argument("--torchfix", type=Path, help="the program, such as /tmp/peers/bin/torchfix")
    parser.add_argument("--dslinter", type=Path, help="a pylint that has the plugin dslinter")
    arguments = parser.parse_args()
    peers = {
        "torchfix": [str(arguments.torchfix), "--select", "ALL"] if arguments.torchfix else None,
        "dslinter": [str(arguments.dslinter), *_DSLINTER] if arguments.dslinter else None,
    }
    rows: list[Row] = []
    cold = [TORCHSTONE, "check", ".", "--no-cache"]
    with tempfile.TemporaryDirectory() as name:
        for title, lines, budget in (("100 lines", 100, 0.2), ("20,000 lines", 20_000, 5.0)):
            folder = Path(name) / str(lines)
            folder.mkdir()
            (folder / "train.py").write_text(program(lines), encoding="utf-8")
            rows.append((f"{title}, cold", measure(cold, folder, arguments.repeat), budget))
            if lines == 100:
                plain = measure(cold, folder, arguments.repeat, bytecode=False)
                rows.append((f"{title}, cold, no bytecode", plain, None))
                rows += peer_rows(title, peers, folder, ["train.py"], arguments.repeat)
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    if arguments.folder:
        rows += folder_rows(arguments.folder, cold, peers, arguments.repeat)
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    print("".join(f"{name} is absent: give --{name} PROGRAM\n" for name in peers if not peers[name]), end="")
    broken = megabytes > MEGABYTES
    for title, seconds, limit in rows:
        over = limit is not None and seconds >= limit
        broken |= over
        told = "" if limit is None else f"  budget {limit} s{': BROKEN' if over else ''}"
        print(f"{seconds:7.2f} s  {title}{told}")
    print(f"{megabytes:7.0f} MB  most memory, 20,000 lines  budget {MEGABYTES} MB")
    return int(broken)


Row = tuple[str, float, float | None]
"""What was measured, its seconds, and how many it may take."""


def folder_rows(folder: Path, cold: list[str], peers: Peers, repeat: int) -> list[Row]:
    """A folder cold and warm, and by the other checkers that are there."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "code"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".git"))
        files = sorted(str(path) for path in copy.rglob("*.py"))
        title = f"{len(files)} Python files"
        rows: list[Row] = [(f"{title}, cold", measure(cold, copy, repeat), 2.0)]
        measure(cold[:-1], copy, 1)
        rows.append((f"{title}, warm", measure(cold[:-1], copy, repeat), 0.3))
        return rows + peer_rows(title, peers, copy, files, 1)


def peer_rows(title: str, peers: Peers, folder: Path, files: list[str], repeat: int) -> list[Row]:
    """The other checkers over the same files."""
    given = [(name, command) for name, command in peers.items() if command]
    return [
        (f"{title}, {name}", measure([*command, *files], folder, repeat), None) for name, command in given
    ]


if __name__ == "__main__":
    sys.exit(main())
