"""What starting up costs, in user and system CPU time of a fresh process.

    python benchmarks/startup.py [--repeat 7]

Must hold: `torchstone --help` under 0.3 s, and `import torchstone` at most 0.3 s above `import torch`
(also when every public name is touched). Ends with status 1 when one does not.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

BUDGET = 0.3
# The two estimators are classes of scikit-learn, which its users have imported already.
TOUCH = (
    "import torchstone\n"
    "for name in set(torchstone.__all__) - {'Classifier', 'Regressor'}: getattr(torchstone, name)"
)
PROGRAMS = {
    "python, nothing imported": [sys.executable, "-c", "pass"],
    "torchstone --help": [str(Path(sys.executable).with_name("torchstone")), "--help"],
    "torchstone train --help": [str(Path(sys.executable).with_name("torchstone")), "train", "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
    "import torchstone": [sys.executable, "-c", "import torchstone"],
    "import torch, torchstone": [sys.executable, "-c", "import torch, torchstone"],
    "import torch, torchstone, every name": [sys.executable, "-c", f"import torch\n{TOUCH}"],
}


def cpu_seconds(command: list[str]) -> float:
    """User and system CPU seconds of one run of `command`, which must end well."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return (after.children_user - before.children_user) + (after.children_system - before.children_system)


def main() -> int:
    """Measure, print the table and say which budget is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7, help="runs of each program; the median counts")
    repeat = parser.parse_args().repeat

    for command in PROGRAMS.values():  # the first run fills the disk's cache and writes .pyc files
        cpu_seconds(command)
    seconds = {
        name: statistics.median(cpu_seconds(command) for _ in range(repeat))
        for name, command in PROGRAMS.items()
    }
    machine = f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    print(f"{machine}, median of {repeat}")
    for name, value in seconds.items():
        print(f"{value:6.2f} s  {name}")

    above = seconds["import torch, torchstone, every name"] - seconds["import torch"]
    checks = {
        "torchstone --help": seconds["torchstone --help"],
        "import torchstone above import torch": above,
    }
    for name, value in checks.items():
        print(f"{'held' if value < BUDGET else 'BROKEN'}: {name}: {value:.2f} s, budget {BUDGET} s")
    return int(any(value >= BUDGET for value in checks.values()))


if __name__ == "__main__":
    sys.exit(main())
