"""`torchstone watch --overfit-batch`: the script's own loop on one batch, and what that says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from torchstone.review.catalogue import load_catalogue

pytest.importorskip("torch")

TRAINING = """
    import sys
    import torch
    from torch import nn

    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.randn(64, 8), torch.randint(0, 4, (64,)))
    loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True, num_workers={workers})
    held_out = torch.utils.data.DataLoader(data, batch_size=16)
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr={rate})
    seen, evaluated = set(), []
    for inputs, targets in held_out:
        evaluated.append(float(inputs.sum()))
    try:
        for epoch in range(10):
            for inputs, targets in loader:
                seen.add(round(float(inputs.sum()), 4))
                inputs.mul_(1.0 + 1e-6)
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(inputs), targets{options})
                loss.backward()
                optimizer.step()
    finally:
        print(len(seen), len(set(evaluated)))
"""


def overfit(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "train.py").write_text(textwrap.dedent(text))
    command = [sys.executable, "-m", "torchstone", "watch", "--overfit-batch", *words, "train.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def told(watched: subprocess.CompletedProcess[str]) -> str:
    return watched.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("workers", "options"), [(0, ""), (2, ""), (0, ", label_smoothing=0.2")], ids=["plain", "workers", "soft"]
)
def test_a_model_that_can_ends_with_0_as_soon_as_it_has(tmp_path: Path, workers: int, options: str) -> None:
    watched = overfit(tmp_path, TRAINING.format(workers=workers, rate=0.01, options=options))
    assert watched.returncode == 0, watched.stderr
    assert watched.stdout == "1 4\n"  # one batch for training, the others as they are; `finally` was run
    assert "found no mistake" in watched.stderr
    match = re.fullmatch(
        r"--overfit-batch: the loss of one batch of 16 fell from (\S+) to (\S+) in (\d+) steps: "
        r"the model can learn it\.",
        told(watched),
    )
    assert match is not None, watched.stderr
    assert float(match[2]) < float(match[1])
    assert 5 <= int(match[3]) < 300


def test_a_rate_that_is_far_too_small_still_falls_or_stays(tmp_path: Path) -> None:
    watched = overfit(tmp_path, TRAINING.format(workers=0, rate=1e-9, options=""), "--overfit-steps", "40")
    assert watched.returncode == 1
    assert "warning[TS612] cannot-overfit-batch" in watched.stderr
    assert "in 40 steps, and falls no more: the model cannot learn it" in told(watched)
    slow = overfit(tmp_path, TRAINING.format(workers=0, rate=1e-3, options=""), "--overfit-steps", "40")
    assert slow.returncode == 1
    assert "TS612" not in slow.stderr
    assert "still falls: give it more with --overfit-steps" in told(slow)


def test_the_examples_of_the_page(tmp_path: Path) -> None:
    mistake = next(mistake for mistake in load_catalogue() if mistake.code == "TS612")
    bad = overfit(tmp_path, mistake.bad[0].code, "--format", "json", "--output", "findings.json")
    assert bad.returncode == 1
    (finding,) = json.loads((tmp_path / "findings.json").read_text())["findings"]
    expected = next(n for n, line in enumerate(mistake.bad[0].code.splitlines(), 1) if "# TS612" in line)
    assert (finding["code"], finding["severity"], finding["line"]) == ("TS612", "warning", expected)
    assert finding["evidence"]["steps"] == 300
    good = overfit(tmp_path, mistake.good[0])
    assert good.returncode == 0, good.stderr


def test_the_scaled_loss_of_float16_is_judged_unscaled(tmp_path: Path) -> None:
    text = TRAINING.format(workers=0, rate=0.01, options="")
    text = text.replace("loss.backward()", "scaler.scale(loss).backward()")
    text = text.replace("optimizer.step()", "scaler.step(optimizer); scaler.update()")
    text = text.replace("seen,", "scaler = torch.amp.GradScaler('cpu', growth_interval=5)\n    seen,")
    watched = overfit(tmp_path, text)
    assert watched.returncode == 0, watched.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import torch\nprint(torch.ones(1))", "the script trains on no batch of a `DataLoader`"),
        (
            """
            import torch
            from torch import nn
            loader = torch.utils.data.DataLoader(torch.randn(64, 4), batch_size=16)
            generator, judge = nn.Linear(4, 4), nn.Linear(4, 1)
            first = torch.optim.Adam(generator.parameters())
            second = torch.optim.Adam(judge.parameters())
            loss = nn.BCEWithLogitsLoss()
            for epoch in range(20):
                for real in loader:
                    fake = generator(torch.randn(16, 4))
                    second.zero_grad()
                    ones, zeros = torch.ones(16, 1), torch.zeros(16, 1)
                    (loss(judge(real), ones) + loss(judge(fake.detach()), zeros)).backward()
                    second.step()
                    first.zero_grad()
                    loss(judge(fake), ones).backward()
                    first.step()
            """,
            "several losses are trained against each other or in turn: line 14 ",
        ),
        (
            """
            import torch
            from torch import nn
            loader = torch.utils.data.DataLoader(torch.randn(64, 4), batch_size=16)
            model = nn.Linear(4, 4)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for epoch in range(20):
                for clean in loader:
                    noise = torch.randn_like(clean)
                    optimizer.zero_grad()
                    nn.functional.mse_loss(model(clean + noise), noise).backward()
                    optimizer.step()
            """,
            "the script draws its targets anew at each step",
        ),
        (
            """
            import torch
            from torch import nn
            loader = torch.utils.data.DataLoader(torch.randn(64, 4), batch_size=16)
            model = nn.Linear(4, 1)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            for epoch in range(20):
                for inputs in loader:
                    optimizer.zero_grad()
                    torch.tanh(model(inputs)).mean().sub(1).backward()
                    optimizer.step()
            """,
            "a loss below 0 has no least value that is known",
        ),
    ],
    ids=["none", "gan", "diffusion", "negative"],
)
def test_what_says_nothing_is_said_to_say_nothing(tmp_path: Path, text: str, words: str) -> None:
    watched = overfit(tmp_path, text, "--overfit-steps", "60")
    assert watched.returncode == 2, watched.stderr
    assert "TS612" not in watched.stderr
    assert words in told(watched)


def test_a_script_that_fails_fails_as_before(tmp_path: Path) -> None:
    text = TRAINING.format(workers=0, rate=0.01, options="").replace("loss.backward()", "raise SystemExit(3)")
    assert overfit(tmp_path, text).returncode == 3
    few = overfit(tmp_path, text, "--overfit-steps", "3")
    assert few.returncode == 2
    assert "--overfit-steps must be 20 or more" in few.stderr
