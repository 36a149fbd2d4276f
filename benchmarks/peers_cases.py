"""How many of the lines that other checkers expect in their own tests `torchstone check` reports too.

    python benchmarks/peers_cases.py --torchfix CHECKOUT --dslinter CHECKOUT --semgrep CHECKOUT

Each is a checkout of the project: pytorch-labs/torchfix (fixtures with a file of expected lines),
SERG-Delft/dslinter (tests whose scripts stand in strings), trailofbits/semgrep-rules (`# ruleid:` comments).
Expectations that are taste and not mistakes are counted apart, under the reason in `EXCLUDED`. Of TorchFix's
TOR001 to TOR004, TOR101 and TOR201 at least 90 % must be found; otherwise the status is 1.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from torchstone.review.source import check_text

MUST = ("TOR001", "TOR002", "TOR003", "TOR004", "TOR101", "TOR201")
LEAST = 0.9

EXCLUDED = {
    "TOR102": "torch.load without weights_only is safe since torch 2.6",
    "TOR103": "the import of a deprecated name; its use is what is reported",
    "TOR104": "use of names of torch that are not public: taste",
    "TOR105": "import of names of torch that are not public: taste",
    "TOR106": "speed of log(1 + x): advice",
    "TOR107": "speed of exp(x) - 1: advice",
    "TOR108": "a hand-written log-sum-exp is TS603 where it can overflow",
    "TOR203": "import torchvision.models as models: taste",
    "TOR401": "DataLoader without workers: advice",
    "TOR402": "zero_grad(set_to_none=False): advice",
    "TOR901": "for torch's own source",
    "missing-mask-pytorch": "the line does not show whether the argument can be zero",
    "numpy-in-pytorch-datasets": "torch seeds NumPy in each worker of a loader",
    "numpy-in-pytorch-modules": "NumPy in a module: taste",
    "pickles-in-pytorch-distributed": "objects among processes of one's own program",
    "pytorch-classes-load-library": "loading a library of one's own",
    "pytorch-package": "an import is no mistake",
    "pytorch-tensor": "torch.Tensor(x): taste",
}


class Case(NamedTuple):
    """One line that another checker expects to be reported; `line` None for anywhere in the text."""

    tool: str
    code: str
    place: str
    text: str
    line: int | None


def torchfix(checkout: Path) -> Iterator[Case]:
    """`6:1 TOR102 message` in a text file beside each fixture."""
    for path in sorted(checkout.glob("tests/fixtures/**/checker/*.txt")):
        source = path.with_suffix(".py")
        text = source.read_text()
        for line, code in re.findall(r"(\d+):\d+ (TOR\d+)", path.read_text()):
            yield Case("TorchFix", code, f"{source.name}:{line}", text, int(line))


def dslinter(checkout: Path) -> Iterator[Case]:
    """Scripts in tests that assert a message; names that the scripts take for granted are imported."""
    head = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"
    for name in ("gradient_clear", "forward", "mask_missing"):
        path = checkout / "dslinter/tests/checkers" / f"test_{name}_pytorch.py"
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            message = re.search(r"assertAddsMessages.*msg_id=['\"]([\w-]+)", ast.unparse(function))
            scripts = [
                node.value.value
                for node in function.body
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            ]
            if message and scripts:
                text = head + textwrap.dedent(scripts[0]).replace("#@", "")
                yield Case("dslinter", message[1], f"{path.name}:{function.name}", text, None)


def semgrep(checkout: Path) -> Iterator[Case]:
    """`# ruleid: name` above each offending line."""
    for path in sorted(checkout.glob("python/*torch*.py")):
        text = path.read_text()
        for number, line in enumerate(text.splitlines(), start=1):
            if match := re.search(r"# ruleid: ([\w-]+)", line):
                yield Case("semgrep", match[1], f"{path.name}:{number + 1}", text, number + 1)


def found(case: Case) -> bool:
    """Whether something is reported where the case expects it; for a class anywhere in it."""
    findings = check_text(case.text, "case.py").findings
    if case.line is None:
        return bool(findings)
    last = case.line
    for node in ast.walk(ast.parse(case.text)):
        if isinstance(node, ast.ClassDef | ast.Expr | ast.Assign) and node.lineno == case.line:
            last = max(last, node.end_lineno or last)
    return any(case.line <= (finding.line or 0) <= last for finding in findings)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("torchfix", "dslinter", "semgrep"):
        parser.add_argument(f"--{name}", type=Path, help="a checkout")
    arguments = parser.parse_args()
    cases: list[Case] = []
    for read in (torchfix, dslinter, semgrep):
        if checkout := getattr(arguments, read.__name__):
            cases += read(checkout)
    expected = Counter((case.tool, case.code) for case in cases)
    seen = {case: found(case) for case in cases if case.code not in EXCLUDED}
    hits = Counter((case.tool, case.code) for case, hit in seen.items() if hit)
    print("| checker | code | expected | found |\n| --- | --- | ---: | ---: |")
    for (tool, code), count in sorted(expected.items()):
        figure = f"left out: {EXCLUDED[code]}" if code in EXCLUDED else hits[tool, code]
        print(f"| {tool} | {code} | {count} | {figure} |")
    for case, hit in seen.items():
        if not hit:
            print(f"missed: {case.code} at {case.place}")
    must = [hit for case, hit in seen.items() if case.code in MUST]
    if must:
        print(f"TorchFix {', '.join(MUST)}: {sum(must)} of {len(must)}")
    return 0 if not must or sum(must) >= LEAST * len(must) else 1


if __name__ == "__main__":
    sys.exit(main())
