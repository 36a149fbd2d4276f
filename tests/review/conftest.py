"""Programs with a mistake, as several tests of the reviewer need them."""

from __future__ import annotations

from pathlib import Path

import pytest

SOFTMAX = """\
import torch
from torch import nn

net = nn.Sequential(nn.Linear(10, 3), nn.Softmax(dim=1))
criterion = nn.CrossEntropyLoss()


def loss_of(x, y):
    return criterion(net(x), y)
"""
"""TS301 at line 9."""


@pytest.fixture
def program() -> str:
    return SOFTMAX


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
