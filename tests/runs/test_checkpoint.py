"""Checkpoints: whole or passed over, and exact for every kind of optimizer."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from torchstone.errors import RunError
from torchstone.runs import checkpoint
from torchstone.runs.directory import RunDirectory

WEIGHTS = {"model": {"weight": torch.arange(6.0).reshape(2, 3)}, "optimizer": {}}


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run")


def names(directory: RunDirectory) -> list[str]:
    return sorted(path.name for path in directory.checkpoints_path.iterdir())


def test_what_was_saved_is_loaded(directory: RunDirectory) -> None:
    folder = checkpoint.save(directory, 12, WEIGHTS, {"epoch": 2, "random": (1, torch.ones(2)), "best": None})
    assert folder == directory.checkpoints_path / "12"
    assert sorted(path.name for path in folder.iterdir()) == [
        "checksums.json", "model.safetensors", "optimizer.safetensors", "state.json", "state.safetensors",
    ]  # fmt: skip
    found = checkpoint.load(directory)
    assert (found.step, found.notes) == (12, [])
    assert torch.equal(found.weights["model"]["weight"], WEIGHTS["model"]["weight"])
    assert found.weights["optimizer"] == {}
    assert found.state["epoch"] == 2
    assert found.state["random"][1].tolist() == [1.0, 1.0]


def test_the_newest_are_kept(directory: RunDirectory) -> None:
    for step in (9, 10, 11, 100):
        checkpoint.save(directory, step, WEIGHTS, {})
    assert names(directory) == ["100", "11"]
    checkpoint.save(directory, 101, WEIGHTS, {}, keep=1)
    assert checkpoint.list_steps(directory) == [101]


def test_a_step_is_saved_again(directory: RunDirectory) -> None:
    checkpoint.save(directory, 5, WEIGHTS, {"epoch": 1})
    checkpoint.save(directory, 5, WEIGHTS, {"epoch": 2})
    assert checkpoint.load(directory).state == {"epoch": 2}
    assert names(directory) == ["5"]


def test_going_back_drops_the_abandoned_future(directory: RunDirectory) -> None:
    for step in (10, 20):
        checkpoint.save(directory, step, WEIGHTS, {})
    checkpoint.save(directory, 15, WEIGHTS, {})
    assert checkpoint.list_steps(directory) == [10, 15]


@pytest.mark.parametrize("file", ["model.safetensors", "state.json", "state.safetensors", "checksums.json"])
@pytest.mark.parametrize("damage", ["flip", "shorten", "remove", "empty"])
def test_a_damaged_checkpoint_is_passed_over_and_said(
    file: str, damage: str, directory: RunDirectory
) -> None:
    for step in (1, 2):
        checkpoint.save(directory, step, WEIGHTS, {"step": step})
    path = directory.checkpoints_path / "2" / file
    content = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        flipped = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
        path.write_bytes({"flip": flipped, "shorten": content[:-1], "empty": b""}[damage])
    if file == "checksums.json" and damage in ("flip", "shorten"):
        path.write_bytes(content[:-3])
    found = checkpoint.load(directory)
    assert found.step == found.state["step"] == 1
    assert len(found.notes) == 1
    assert "step 2 is damaged" in found.notes[0]
    assert file in found.notes[0]
    with pytest.raises(RunError, match="no checkpoint that is whole"):
        checkpoint.load(directory, step=2)


def test_there_is_none(directory: RunDirectory) -> None:
    assert checkpoint.list_steps(directory) == []
    with pytest.raises(RunError, match="has no checkpoint"):
        checkpoint.load(directory)
    checkpoint.save(directory, 3, WEIGHTS, {})
    with pytest.raises(RunError, match="no checkpoint of step 4") as caught:
        checkpoint.load(directory, step=4)
    assert caught.value.hint == "Those of steps 3 are there."


def test_one_that_cannot_be_written_leaves_the_others(directory: RunDirectory) -> None:
    checkpoint.save(directory, 1, WEIGHTS, {})
    with pytest.raises(RunError, match="object at broken"):
        checkpoint.save(directory, 2, WEIGHTS, {"broken": object()})
    assert names(directory) == ["1"]
    assert checkpoint.load(directory).step == 1


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_kill_at_any_moment_leaves_a_whole_checkpoint(directory: RunDirectory) -> None:
    program = (
        "import sys, torch\n"
        "from torchstone.runs import checkpoint\n"
        "from torchstone.runs.directory import RunDirectory\n"
        "run = RunDirectory(sys.argv[1])\n"
        "for step in range(int(sys.argv[2]), 10**6):\n"
        "    checkpoint.save(run, step, {'model': {'w': torch.full((5000,), float(step))}}, {'step': step})\n"
        "    print(step, flush=True)\n"
    )
    step = 0
    for pause in (0.01, 0.033, 0.05):
        command = [sys.executable, "-c", program, str(directory.path), str(step + 1)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        step = int(process.stdout.readline())
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        output, _ = process.communicate()
        said = [step, *map(int, output.split())][-1]
        found = checkpoint.load(directory)
        assert found.step >= said - 1
        assert float(found.weights["model"]["w"][0]) == found.state["step"] == found.step
        step = found.step
    checkpoint.save(directory, step + 1, WEIGHTS, {})
    assert all(name.isdecimal() for name in names(directory))


OPTIMIZERS: list[tuple[Any, dict[str, Any]]] = [
    (torch.optim.SGD, {"momentum": 0.9}),
    (torch.optim.Adam, {"amsgrad": True}),
    (torch.optim.AdamW, {"lr": torch.tensor(0.01)}),
    (torch.optim.Adagrad, {}),
    (torch.optim.NAdam, {}),
    (torch.optim.RMSprop, {"momentum": 0.5, "centered": True}),
    (torch.optim.Rprop, {}),
    (torch.optim.LBFGS, {}),
]


def train(net: nn.Module, optimizer: Any, steps: int) -> list[Tensor]:
    inputs = torch.linspace(-1, 1, 12, dtype=next(net.parameters()).dtype).reshape(4, 3)
    for _ in range(steps):

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss: Tensor = net(inputs).square().mean()
            loss.backward()
            return loss

        optimizer.step(closure)
    return [parameter.detach().clone() for parameter in net.parameters()]


@pytest.mark.parametrize(("kind", "arguments"), OPTIMIZERS, ids=lambda value: getattr(value, "__name__", ""))
def test_an_optimizer_goes_on_bit_for_bit(
    kind: Any, arguments: dict[str, Any], directory: RunDirectory
) -> None:
    net = nn.Linear(3, 2)
    optimizer = kind(net.parameters(), **arguments)
    train(net, optimizer, 3)
    tensors, values = checkpoint.flatten_optimizer(optimizer.state_dict())
    checkpoint.save(directory, 3, {"model": net.state_dict(), "optimizer": tensors}, {"optimizer": values})
    found = checkpoint.load(directory)
    other = nn.Linear(3, 2)
    other.load_state_dict(found.weights["model"])
    resumed = kind(other.parameters(), **copy.deepcopy(arguments))
    restored = checkpoint.restore_optimizer(found.weights["optimizer"], found.state["optimizer"])
    checkpoint.load_optimizer(resumed, restored)
    assert all(map(torch.equal, train(net, optimizer, 3), train(other, resumed, 3)))


def test_moments_keep_their_dtype() -> None:
    net = nn.Linear(3, 2).bfloat16()
    optimizer = torch.optim.Adam(net.parameters())
    train(net, optimizer, 1)
    exact = torch.full_like(net.weight, 1 / 3, dtype=torch.float32)
    optimizer.state[net.weight]["exp_avg"] = exact
    saved = checkpoint.restore_optimizer(*checkpoint.flatten_optimizer(optimizer.state_dict()))
    other = torch.optim.Adam(net.parameters())
    checkpoint.load_optimizer(other, saved)
    assert torch.equal(other.state[net.weight]["exp_avg"], exact)
    assert other.state[net.weight]["exp_avg"].data_ptr() != exact.data_ptr()
    assert other.state[net.bias]["exp_avg"].dtype == torch.bfloat16


def test_an_optimizer_of_other_parameters_is_refused() -> None:
    one, two = (torch.optim.SGD(nn.Linear(3, 2, bias=bias).parameters(), lr=0.1) for bias in (True, False))
    with pytest.raises(ValueError, match="size of optimizer's group"):
        checkpoint.load_optimizer(two, one.state_dict())
