"""Processes that `torchrun` starts, each watched: what all of them find is told once, by one of them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow  # processes that meet over a port take long on a busy machine
if not torch.distributed.is_available():
    pytest.skip("this build of torch has no torch.distributed", allow_module_level=True)

TRAINING = """
import hashlib
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

dist.init_process_group("gloo")
torch.manual_seed(0)
data = TensorDataset(torch.randn(64, 4), torch.randn(64, 1))
sampler = DistributedSampler(data)
loader = DataLoader(data, batch_size=8, sampler=sampler)
model = DistributedDataParallel(torch.nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    sampler.set_epoch(epoch)
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
weights = b"".join(value.detach().numpy().tobytes() for value in model.parameters())
for rank in range(2):
    if dist.get_rank() == rank:
        print(rank, hashlib.sha256(weights).hexdigest(), torch.rand(1).item(), flush=True)
    dist.barrier()
dist.destroy_process_group()
"""


SHARDED = """
import hashlib
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

dist.init_process_group("gloo")
torch.manual_seed(0)
inputs = torch.randn(128, 8)
data = TensorDataset(inputs, inputs[:, :4].argmax(1))
sampler = DistributedSampler(data)
loader = DataLoader(data, batch_size=16, sampler=sampler)
mesh = dist.device_mesh.init_device_mesh("cpu", (2,))
model = nn.Sequential(
    nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.ReLU()),
    nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.1), nn.ReLU()),
    nn.Linear(16, 4),
)
for block in model:
    fully_shard(block, mesh=mesh)
fully_shard(model, mesh=mesh)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)  # after sharding, which makes the parameters anew
torch.manual_seed(dist.get_rank())
for epoch in range(3):
    sampler.set_epoch(epoch)
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    with torch.no_grad():
        told = nn.functional.cross_entropy(model(inputs[:32]), data.tensors[1][:32])
weights = b"".join(value.detach().to_local().numpy().tobytes() for value in model.parameters())
for rank in range(2):
    if dist.get_rank() == rank:
        print(rank, hashlib.sha256(weights).hexdigest(), told.item(), torch.rand(1).item(), flush=True)
    dist.barrier()
dist.destroy_process_group()
"""


def run(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "train.py").write_text(text)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *words, "train.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def watch(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, text, "-m", "torchstone", "watch", *words)


def test_two_processes_compute_what_they_did_unwatched(tmp_path: Path) -> None:
    before = set(Path(tempfile.gettempdir()).glob("torchstone-watch-*"))
    plain, watched = run(tmp_path, TRAINING), watch(tmp_path, TRAINING, "--format", "json")
    assert plain.returncode == watched.returncode == 0, watched.stderr
    assert watched.stdout == plain.stdout
    assert "stopped watching" not in watched.stderr
    assert '"code"' not in watched.stderr
    assert set(Path(tempfile.gettempdir()).glob("torchstone-watch-*")) <= before


def test_sharded_parameters_are_left_alone(tmp_path: Path) -> None:
    plain, watched = run(tmp_path, SHARDED), watch(tmp_path, SHARDED)
    assert plain.returncode == watched.returncode == 0, watched.stderr
    assert watched.stdout == plain.stdout
    assert watched.stderr.endswith("torchstone watched 12 steps and found no mistake.\n")
    assert "stopped watching" not in watched.stderr


def test_order_is_seen_where_parameters_are_sharded(tmp_path: Path) -> None:
    wrong = SHARDED.replace("        optimizer.zero_grad()\n", "")
    watched = watch(tmp_path, wrong, "--format", "json", "--output", "findings.json")
    assert watched.returncode == 0, watched.stderr
    report = json.loads((tmp_path / "findings.json").read_text())
    assert {one["code"] for one in report["findings"]} == {"TS101"}


def test_what_all_ranks_find_is_told_once(tmp_path: Path) -> None:
    wrong = TRAINING.replace("        optimizer.zero_grad()\n", "").replace(
        "    sampler.set_epoch(epoch)\n", "    pass\n"
    )
    watched = watch(tmp_path, wrong, "--format", "json", "--output", "findings.json")
    assert watched.returncode == 0, watched.stderr
    assert watched.stderr.count("TS101 missing-zero-grad (step") == 1
    report = json.loads((tmp_path / "findings.json").read_text())
    seen = [one for one in report["findings"] if "rank" in one["evidence"]]
    assert sorted(one["code"] for one in seen) == ["TS101", "TS902"]
    assert all(one["evidence"]["rank"] in (0, 1) for one in seen)


def test_after_a_time_out_each_rank_says_where_it_stands(tmp_path: Path) -> None:
    text = """
from datetime import timedelta

import torch
import torch.distributed as dist

dist.init_process_group("gloo", timeout=timedelta(seconds=3))
total = torch.ones(1)
dist.all_reduce(total)
if dist.get_rank() == 0:
    dist.barrier()
dist.all_reduce(total)
"""
    watched = watch(tmp_path, text)
    assert watched.returncode != 0
    words = "train.py:11: TS903 rank-branch-collective"
    assert watched.stderr.count(words) == 1, watched.stderr
    assert "Rank 0 waits for all ranks in `barrier`, and rank 1 stands in `all_reduce`" in watched.stderr
