"""How many of the bugs of two public sets `torchstone check` and `torchstone watch` find, explain or miss.

    python benchmarks/bug_sets.py --traincheck CHECKOUT --reproducibility CHECKOUT [--only 042,060]

CHECKOUT are checkouts of OrderLab/TrainCheck-Evaluation-Workloads (its bugs of user code) and of
mehilshah/Bug_Reproducibility_DL_Bugs (its PyTorch bugs). Each program is copied to a temporary folder,
changed there as its row says (downloads become data that is here, a run of hours becomes one of seconds; no
line is added or removed, so that its line numbers hold), read by `check` and run by `watch`. A bug is

- found: a finding with one of the codes that name its cause stands at, or refers to, a line of the cause;
- explained: the program ends with an error, and such a finding stands under its traceback;
- missed: neither, whatever else is said.

Where the set has a mended program, or the row says what mends it, that one is run too: it must be silent
about the cause. What cannot be run is listed in `NOT_RUN` with the reason. Written as a Markdown table.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REPRODUCTIONS = "Bugs"
WORKLOADS = "silent-issue-detection/bug-reprod-scripts"
QUESTION = "https://stackoverflow.com/questions/"
OWN = "https://github.com/mehilshah/Bug_Reproducibility_DL_Bugs/tree/main/Bugs/"
SECONDS = 300

Edit = tuple[str, str]
"""A regular expression and what takes its place."""


@dataclass(frozen=True)
class Bug:
    """One program with a bug whose cause is known.

    Args:
        name: of the bug in its set.
        link: to where it was reported.
        cause: in words.
        codes: of findings that name the cause.
        lines: of the program that take part in it.
        program: path in the folder of the bug.
        edits: what makes it run here and now.
        mends: further edits that mend the bug.
        mended: the set's own mended program.
        mended_lines: where its lines differ, those that would take part.
        uncomment: the first and last line of a commented-out part that the program needs.
        data: makes what it reads in its folder.
        processes: to run it with.
    """

    name: str
    link: str
    cause: str
    codes: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    program: str = "main.py"
    edits: tuple[Edit, ...] = ()
    mends: tuple[Edit, ...] = ()
    mended: str | None = None
    uncomment: tuple[int, int] | None = None
    data: Callable[[Path], None] | None = None
    processes: int = 1


@dataclass(frozen=True)
class Outcome:
    """What was said of one program.

    Args:
        status: of the watched program, 0 where it ended well; None after the time limit.
        named: the codes that name the cause, with who said them.
        others: all other codes of errors and warnings.
        error: the last line of its stderr where it failed.
    """

    status: int | None
    named: tuple[str, ...]
    others: tuple[str, ...]
    error: str


def digits(folder: Path) -> None:
    """The handwritten digits of scikit-learn, 28 x 28, in the files of MNIST."""
    from sklearn.datasets import load_digits

    raw = folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pictures, labels = load_digits(return_X_y=True)
    large = np.kron(pictures.reshape(-1, 8, 8), np.ones((3, 3))) * (255 / 16)
    large = np.pad(large, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    for part, rows in (("train", slice(0, 1500)), ("t10k", slice(1500, None))):
        _idx(raw / f"{part}-images-idx3-ubyte", large[rows])
        _idx(raw / f"{part}-labels-idx1-ubyte", labels[rows].astype(np.uint8))


def _idx(file: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    file.write_bytes(header + values.tobytes())
    with gzip.open(f"{file}.gz", "wb") as packed:
        packed.write(header)


def insects(folder: Path) -> None:
    """Pictures of two kinds, one dark and one light, in the folders of hymenoptera_data."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for part, count in (("train", 12), ("val", 8)):
        for kind, brightness in (("ants", 60), ("bees", 180)):
            home = folder / "hymenoptera_data" / part / kind
            home.mkdir(parents=True)
            for number in range(count):
                noise = draw.integers(0, 75, (64, 64, 3)) + brightness
                Image.fromarray(noise.astype(np.uint8)).save(home / f"{number}.png")


def stand_ins(folder: Path) -> None:
    """What the workloads import: the marks of TrainCheck, and a net with the layer names of EfficientNet."""
    marks = folder / "traincheck"
    marks.mkdir()
    (marks / "__init__.py").write_text("def annotate_stage(stage):\n    pass\n", encoding="utf-8")
    (marks / "instrumentor.py").write_text("meta_vars = {}\n", encoding="utf-8")
    (folder / "efficientnet_pytorch.py").write_text(_EFFICIENT, encoding="utf-8")


_EFFICIENT = """
import torch
from torch import nn


class EfficientNet(nn.Module):
    def __init__(self):
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 16, 3, stride=8)
        self._bn0 = nn.BatchNorm2d(16)
        self._conv_head = nn.Conv2d(16, 32, 3, stride=4)
        self._bn1 = nn.BatchNorm2d(32)
        self._dropout = nn.Dropout(0.2)
        self._fc = nn.Linear(32, 1000)

    @classmethod
    def from_pretrained(cls, name):
        return cls()

    def forward(self, inputs):
        x = torch.relu(self._bn0(self._conv_stem(inputs)))
        x = torch.relu(self._bn1(self._conv_head(x)))
        return self._fc(self._dropout(x.mean((2, 3))))
"""

_NO_GPU: tuple[Edit, ...] = ((r"\.cuda\(\)", ""), (r"device='cuda'", "device='cpu'"))
_FAKE_CIFAR: tuple[Edit, ...] = (
    (
        r"datasets\.CIFAR100\(\n    root=\"\./data\", train=(\w+), download=True",
        r"datasets.FakeData(\n    size=256, image_size=(3, 32, 32), num_classes=100",
    ),
    (r"np\.Inf\b", "np.inf"),
    (r"(?m)^    10,$", "    1,"),
    (r"num_workers=1", "num_workers=0"),
    (r"batch_size=1,", "batch_size=16,"),
)

TRAINCHECK = (
    Bug(
        "pytorch-forum-84911",
        "https://discuss.pytorch.org/t/obtaining-abnormal-changes-in-loss-and-accuracy/84911",
        "the head that the optimizer holds is frozen, and so is nearly all else",
        ("TS504", "TS502", "TS104"),
        (89, 92, 94, 96, 97, 142),
        "bug.py",
        _FAKE_CIFAR,
        mended="fixed.py",
        data=stand_ins,
    ),
    Bug(
        "stackoverflow-60335387",
        QUESTION + "60335387",
        "`optimizer.zero_grad()` is missing",
        ("TS101",),
        (86, 106, 107),
        "bug.py",
        (*_NO_GPU, (r'"num_epoch": 10', '"num_epoch": 1')),
        mended="fixed.py",
        data=digits,
    ),
    Bug(
        "x-jxmnop-ddp-out-of-sync",
        "https://x.com/jxmnop/status/1778520637193240892",
        "every second step goes through the model without DistributedDataParallel",
        ("TS904", "TS906"),
        (34, 36, 49, 59, 63, 64, 65),
        "bug.py",
        (
            (r'backend="nccl"', 'backend="gloo"'),
            (r"from datasets import load_dataset", "from transformers import BertConfig"),
            (r"tokenizer = AutoTokenizer\S+", "torch.manual_seed(0)"),
            (
                r"AutoModel\.from_pretrained\(model_name\)",
                "AutoModel.from_config(BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=2, "
                "num_attention_heads=2, intermediate_size=64))",
            ),
            (r'dataset = load_dataset\("glue", "stsb"\)', "words = torch.randint(1, 60, (128, 12))"),
            (
                r"tokenized_datasets = dataset\.map.*",
                "rows = [{'input_ids': row, 'attention_mask': torch.ones_like(row)} for row in words]",
            ),
            (r"tokenized_datasets\.set_format.*", "tokenized_datasets = {'train': rows}"),
            (r'output_dir="\./results",', 'output_dir="./results", use_cpu=True, report_to="none",'),
            (r"    local_rank=.*", ""),
            (
                r"def training_step\(self, model, inputs\):",
                "def training_step(self, model, inputs, count=None):",
            ),
            (r"resume_from_checkpoint=get_last_checkpoint\(\S+?\)", ""),
        ),
        mends=((r"buggy_model = get_model_ddp_or_not\(step\)", "buggy_model = model"),),
        data=stand_ins,
        processes=2,
    ),
)

REPRODUCIBLE = (
    Bug(
        "037",
        QUESTION + "71652014",
        "`torch.tensor` of a list of tensors with several elements",
        ("TS316",),
        (14,),
        mends=((r"torch\.tensor\(\[apply", "torch.stack([apply"),),
    ),
    Bug(
        "039",
        QUESTION + "71514447",
        "the loss grows: its sum goes on over all epochs and is divided by the batches of one",
        ("TS410",),
        (15, 18, 31, 34, 40),
        edits=((r"train_loader, 10\)", "train_loader, 2)"),),
        mends=(
            (r"(  for epoch in range\(num_epochs\):)", r"\1\n    running_loss, correct, total = 0, 0, 0"),
        ),
        uncomment=(66, 79),
        data=digits,
    ),
    Bug(
        "041",
        QUESTION + "66720543",
        "`torch.dot` of matrices",
        ("TS316",),
        (19,),
        mends=((r"torch\.dot\(input_tensor,\((.*)\)\.T\)", r"(input_tensor.T @ (\1))"),),
    ),
    Bug(
        "042",
        QUESTION + "71457035",
        "a log-softmax over one score a sample is always 0",
        ("TS305",),
        (27, 43, 44, 52, 53),
        edits=((r"epochs = 2000", "epochs = 200"),),
        mends=((r"F\.log_softmax\(self\.fc2\(x\), dim=1\)", "torch.sigmoid(self.fc2(x))"),),
    ),
    Bug(
        "046",
        QUESTION + "72099844",
        "a linear layer for 19 features where there are 19 rows of one",
        ("TS316",),
        (17,),
        mends=((r"nn\.Linear\(19, 1\)", "nn.Linear(1, 1)"),),
    ),
    Bug(
        "050",
        QUESTION + "68011125",
        "a variable that holds a class is bound to a module, and then called as the class",
        lines=(68, 84),
        uncomment=(6, 17),
    ),
    Bug(
        "052",
        QUESTION + "65522548",
        "the accuracy of a regression: the argmax of one column is always 0",
        ("TS309",),
        (78,),
        mends=((r"train_predictions\.max\(1, keepdim=True\)\[1\]", "train_predictions.round()"),),
    ),
    Bug(
        "053",
        QUESTION + "63566232",
        "a batch size of 1 is written into `view`",
        ("TS316",),
        (141, 155, 169, 178),
        edits=(
            (r"(?m)^import (torchtext|spacy) ?$", "pass"),
            (r"(?m)^from IPython.*$", "pass"),
        ),
        mends=((r"# (batch_size = \S+)\n( +)batch_size = 1\b", r"\1\n\2pass"),),
    ),
    Bug(
        "054",
        QUESTION + "70159221",
        "the mean of whole numbers",
        ("TS317",),
        (3, 4),
        mends=((r"tns\.mean", "tns.float().mean"),),
    ),
    Bug(
        "055",
        QUESTION + "65993928",
        "`squeeze()` takes the batch dimension away",
        ("TS316",),
        (56, 57, 60),
        mends=((r"multinomial\(1\)\.squeeze\(\)", "multinomial(1).squeeze(1)"),),
    ),
    Bug(
        "060",
        QUESTION + "61781193",
        "a softmax before cross-entropy, and over the layers of the LSTM at that",
        ("TS301", "TS305"),
        (27, 40),
        edits=((r"EPOCH = 10", "EPOCH = 2"),),
        mends=((r"F\.softmax\(self\.lin3\(h_t\)\)", "self.lin3(h_t)"),),
    ),
    Bug("063", QUESTION + "66818548", "a formula of a paper, read wrongly", lines=(10, 15)),
    Bug(
        "066",
        QUESTION + "75915809",
        "an accuracy above 1: the argmax of one column, compared with a column",
        ("TS309", "TS306"),
        (75, 86),
        edits=(
            (r"weights='ResNet18_Weights.DEFAULT'", "weights=None"),
            (r"scheduler,num_epochs=25\)", "scheduler,num_epochs=1)"),
            (r"num_workers=4", "num_workers=0"),
        ),
        mends=((r"_, preds = torch\.max\(outputs, 1\)", "preds = (outputs > 0).float()"),),
        data=insects,
    ),
    Bug(
        "067",
        QUESTION + "69284837",
        "sigmoids between all layers: nothing reaches the first ones",
        ("TS608",),
        (*range(10, 28), 56, 61, 62),
        mends=((r"Sigmoid\(\),\n(?= +torch\.nn\.Linear)", "ReLU(),\n"),),
        data=digits,
    ),
    Bug(
        "075",
        OWN + "075",
        "the means are made of `means_coef.detach().item()`: no gradient reaches it",
        ("TS104", "TS107", "TS502"),
        (8, 9, 11, 12, 16, 25, 26),
        mends=(
            (
                r"    means = torch\.tensor\(torch\.dstack.*",
                "    means = torch.dstack([1 + (means_coef - 1) * torch.linspace(0, 1, 8)] * 2).squeeze()",
            ),
        ),
    ),
    Bug(
        "077",
        QUESTION + "73349963",
        "one sample a step at a learning rate of 0.1, on raw features",
        ("TS407", "TS511", "TS607", "TS609", "TS601"),
        (12, 33, 47, 53, 70),
        mends=((r"lr = 0\.1", "lr = 0.01"), (r"# scaler = ", "scaler = "), (r"# (t\w+_data = )", r"\1")),
    ),
    Bug(
        "080",
        OWN + "080",
        "the constructor is called `___init___`",
        ("TS513",),
        (9, 18, 19),
        mends=((r"___init___", "__init__"),),
    ),
    Bug(
        "084",
        QUESTION + "73276139",
        "`nn.Unfold` takes other arguments than `Tensor.unfold`",
        lines=(14,),
    ),
    Bug(
        "086",
        QUESTION + "63204176",
        "the loss function's name is bound to a loss",
        lines=(24, 40),
        edits=((r"range\(5\)", "range(1)"),),
        data=digits,
    ),
    Bug(
        "087",
        OWN + "087",
        "`from_numpy` takes no `dtype`",
        lines=(5,),
    ),
    Bug(
        "088",
        QUESTION + "73266661",
        "a linear layer for 1000 features where two branches give 3048",
        ("TS316",),
        (23, 33, 34),
        mends=((r"nn\.Linear\(1000, 512\)", "nn.Linear(3048, 512)"),),
    ),
    Bug("091", QUESTION + "74198404", "the ids are taken where their positions are meant", lines=(28,)),
    Bug(
        "092",
        OWN + "092",
        "as 046",
        ("TS316",),
        (16,),
        "original_code_snippet.py",
        mends=((r"nn\.Linear\(19, 1\)", "nn.Linear(1, 1)"),),
    ),
    Bug(
        "099",
        QUESTION + "66489112",
        "an argument that Lightning has removed",
        lines=(5, 6),
        program="original_code_snippet.py",
    ),
    Bug(
        "100",
        QUESTION + "71223747",
        "a view from unpacking is changed in place",
        ("TS112",),
        (2, 5),
        "original_code_snippet.py",
        mends=((r"a1 \+= b\.sum\(\)", "a1 = a1 + b.sum()"),),
    ),
    Bug(
        "101",
        QUESTION + "54417736",
        "a picture of 320 pixels, which cannot be halved eight times",
        ("TS316",),
        (190, 193, 194),
        mends=((r"320, 320", "256, 256"),),
    ),
)

_OWN = "has not reproduced it itself (memory of a GPU)"
NOT_RUN = {
    "TrainCheck, 10 bugs of frameworks": "in versions of them that do not run with torch 2.14 "
    "(deepspeed-1801, -5794, lightning-thunder-725, mmpretrain-702, transformers-17877, -23723, -33844, "
    "-34204), or in torch itself (pytorch-51800, -115607): no mistake of the program",
    "TrainCheck, stackoverflow-67180955": "torch seeds NumPy in its workers since 1.9: no bug any more",
    "TrainCheck, 3 bugs of hardware": "baichuan2-86, pytorch-84803, pytorch-96600: several GPUs",
    "TrainCheck, pytorch-104336": "parameters that are moved to the CPU and back: two GPUs",
    "038, 056, 098": "need a GPU",
    "045, 049": f"the set {_OWN}",
    "065, 074, 076, 078, 095": "weights from the network",
    "085": "the set has not reproduced it; its data set is not described",
    "089": "fastai, and pictures of the asker",
}


def programs(bug: Bug, home: Path, folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """The program of a bug in a folder of its own, and the mended one.

    Args:
        bug: of a set.
        home: its folder in the checkout.
        folder: an empty one.
    """
    makes = [("bug", bug.program, bug.edits)]
    if bug.mended is not None:
        makes.append(("mended", bug.mended, bug.edits))
    elif bug.mends:
        makes.append(("mended", bug.program, (*bug.edits, *bug.mends)))
    for kind, name, edits in makes:
        text = (home / name).read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
        changed = _uncommented(text, bug.uncomment)
        for pattern, replacement in edits:
            changed, count = re.subn(pattern, replacement, changed)
            if not count and bug.mended is None:
                raise SystemExit(f"{bug.name}: nothing matches {pattern!r}")
        if kind == "bug" and changed.count("\n") != text.count("\n"):
            raise SystemExit(f"{bug.name}: an edit changes the number of lines")
        into = folder / kind
        into.mkdir(parents=True)
        if bug.data is not None:
            bug.data(into)
        (into / name).write_text(changed, encoding="utf-8")
        yield kind, into / name, kind == "bug"


def _uncommented(text: str, lines: tuple[int, int] | None) -> str:
    if lines is None:
        return text
    parts = text.split("\n")
    first, last = lines
    for number in range(first - 1, last):
        parts[number] = re.sub(r"^(\s*)# ?", r"\1", parts[number])
    return "\n".join(parts)


def outcome(bug: Bug, program: Path, lines: tuple[int, ...] | None) -> Outcome:
    """Reads and runs a program.

    Args:
        bug: of a set.
        program: to look at.
        lines: at one of which a finding must stand; None for anywhere.
    """
    read = _torchstone(program, "check", "--format", "json", program.name)
    said = [("check", finding) for finding in _findings(read[1])]
    report = program.parent / "findings.json"
    command = ["watch", "--quiet", "--format", "json", "--output", report.name, program.name]
    status, _, errors = _torchstone(program, *command, processes=bug.processes)
    for file in sorted(program.parent.glob("findings*.json")):
        said += [("watch", finding) for finding in _findings(file.read_text(encoding="utf-8"))]
    named: dict[str, None] = {}
    others: dict[str, None] = {}
    for who, finding in said:
        if who == "watch" and finding["evidence"].get("source") and len(finding["evidence"]) == 1:
            continue  # read in the source alone: check has said it
        at = {finding["line"], *(related["line"] for related in finding["related"])}
        if finding["code"] in bug.codes and (lines is None or at & set(lines)):
            named[f"{finding['code']} {who}"] = None
        elif finding["severity"] != "advice":
            others[finding["code"]] = None
    last = errors.split("Traceback (most recent call last)")
    error = next((line for line in last[-1].splitlines() if re.match(r"[\w.]*(Error|Exception)\b", line)), "")
    return Outcome(status, tuple(named), tuple(others), error if len(last) > 1 else "")


def _findings(text: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(text)["findings"]
        return found
    except (json.JSONDecodeError, KeyError):
        return []


def _torchstone(program: Path, *arguments: str, processes: int = 1) -> tuple[int | None, str, str]:
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", f"--nproc-per-node={processes}", "--master-port=29731", "-m"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore"}
    environment |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            [*start, "torchstone", *arguments],
            cwd=program.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired as late:
        return None, "", (late.stderr or b"").decode(errors="replace")
    return done.returncode, done.stdout, done.stderr


def judged(bug: Bug, seen: Outcome) -> str:
    """Found, explained, missed, or why neither can be said."""
    if seen.status is None:
        return "time limit"
    if any("check" in one for one in seen.named):
        return "found"
    if seen.named:
        return "explained" if seen.error else "found"
    return "missed"


def main() -> int:
    """Runs what was asked for and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--traincheck", type=Path, help="a checkout of OrderLab/TrainCheck-Evaluation-Workloads"
    )
    parser.add_argument("--reproducibility", type=Path, help="of mehilshah/Bug_Reproducibility_DL_Bugs")
    parser.add_argument("--only", help="names of bugs, with commas")
    parser.add_argument("--keep", type=Path, help="leave the programs in this folder")
    given = parser.parse_args()
    only = set(given.only.split(",")) if given.only else None
    folder = given.keep or Path(tempfile.mkdtemp(prefix="bug-sets-"))
    totals: Counter[tuple[str, str]] = Counter()
    print("| set | bug | what is wrong | result | named by | mended | also said |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    sets = (
        ("TrainCheck", given.traincheck, WORKLOADS, TRAINCHECK),
        ("reproducible", given.reproducibility, REPRODUCTIONS, REPRODUCIBLE),
    )
    for title, checkout, under, bugs in sets:
        for bug in bugs if checkout is not None else ():
            if only is None or bug.name in only:
                result, row = _row(bug, checkout / under / bug.name, folder / bug.name)
                totals[title, result] += 1
                print(f"| {title} | [{bug.name}]({bug.link}) | {bug.cause} | {row} |", flush=True)
    print()
    for (title, result), count in sorted(totals.items()):
        print(f"{title}: {result} {count}")
    print()
    print("\n".join(f"- {names}: {why}" for names, why in NOT_RUN.items()))
    if given.keep is None:
        shutil.rmtree(folder)
    return 0


def _row(bug: Bug, home: Path, folder: Path) -> tuple[str, str]:
    result, row, mended = "", "", "—"
    for kind, program, original in programs(bug, home, folder):
        seen = outcome(bug, program, bug.lines if original else None)
        if kind == "bug":
            result = judged(bug, seen)
            row = f"{result} | {', '.join(seen.named) or seen.error[:90] or '—'}"
            others = ", ".join(seen.others)
        else:
            mended = "silent" if not seen.named else ", ".join(seen.named)
            mended += f"; {seen.error[:90] or f'status {seen.status}'}" if seen.status != 0 else ""
    return result, f"{row} | {mended} | {others or '—'}"


if __name__ == "__main__":
    sys.exit(main())
